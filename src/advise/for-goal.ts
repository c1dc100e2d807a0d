import { KNOBS } from '../knobs/all.js'
import type { KnobName } from '../knobs/names.js'
import { loadProfile } from '../profiles/find.js'
import type { Advice } from './all.js'

/** What is worth trying for goals that latency's rules know nothing of: the settings of a profile. */
const PROFILES = { throughput: 'throughput', energy: 'energy-saver' } as const
/** What does nothing without each other: tried one at a time, none would be kept. */
const TOGETHER: readonly KnobName[] = ['net.gro_flush_timeout', 'net.napi_defer_hard_irqs']

/**
 * Gives what to try for a goal besides what the rules have found, or instead: what saves energy costs latency, and what betters
 * latency costs energy. Each setting of a profile is a candidate of its own, but for those that do nothing alone. `nic` is the device
 * by which the requests come; without one, none is set.
 */
export const adviseFor = (goal: string, found: readonly Advice[], nic: string | null): Advice[] => {
  if (goal !== 'throughput' && goal !== 'energy') return [...found]
  const profile = loadProfile(PROFILES[goal])
  const usable = profile.settings.filter(
    ({ knob, service }) => service === undefined && (KNOBS[knob].selector !== 'nic' || nic !== null),
  )
  const together = usable.filter(({ knob }) => TOGETHER.includes(knob))
  const candidates = usable.flatMap((setting): Advice[] => {
    const group = together.includes(setting) ? together : [setting]
    if (setting !== group[0]) return []
    return [
      {
        rule: `profile ${profile.name}`,
        finding: group.map(({ why }) => why).join(' '),
        evidence: [],
        settings: group.map(({ knob, value }) => ({
          knob,
          value: String(value),
          ...(KNOBS[knob].selector === 'nic' && nic !== null && { nic }),
        })),
        gain: null,
        cost: 'see why',
        expense: 'low',
        risk: 'see why',
      },
    ]
  })
  const hopeless = found.filter(({ settings }) => settings.length === 0)
  if (goal === 'energy') return [...candidates, ...hopeless]
  // What a rule advises as well is tried once.
  const known = new Set(found.map(describeSettings))
  return [...found, ...candidates.filter(each => !known.has(describeSettings(each)))]
}

const describeSettings = ({ settings }: Advice): string =>
  settings.map(({ knob, value, nic }) => `${knob}=${value} ${nic ?? ''}`).join()
