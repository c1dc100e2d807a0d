import { loadProfile } from '../profiles/find.js'
import type { Advice } from './all.js'

/** What is worth trying for goals that latency's rules know nothing of: the settings of a profile. */
const PROFILES = { throughput: 'throughput', energy: 'energy-saver' } as const

/**
 * Gives what to try for a goal besides what the rules have found, or instead: what saves energy costs latency, and what betters
 * latency costs energy. Each setting of a profile is a candidate of its own.
 */
export const adviseFor = (goal: string, found: readonly Advice[], nic: string | null): Advice[] => {
  if (goal !== 'throughput' && goal !== 'energy') return [...found]
  const profile = loadProfile(PROFILES[goal])
  const candidates = profile.settings.flatMap(({ knob, value, why, service }): Advice[] =>
    service !== undefined
      ? []
      : [
          {
            rule: `profile ${profile.name}`,
            finding: why,
            evidence: [],
            settings: [{ knob, value: String(value), ...(nic !== null && { nic }) }],
            gain: null,
            cost: 'see why',
            expense: 'low',
            risk: 'see why',
          },
        ],
  )
  const hopeless = found.filter(({ settings }) => settings.length === 0)
  return goal === 'energy' ? [...candidates, ...hopeless] : [...found, ...candidates]
}
