import { listPolicies, type Policy, policyFile } from './cpufreq.js'
import type { Change, Effect, Knob } from './knob.js'
import { readWord } from './number-values.js'
import { keepPresent } from './present.js'
import { noEffect, watchFor } from './watching.js'

/** The frequency that a governor holds whatever the load; the others' depends on it. */
const HELD: Record<string, string> = { performance: 'scaling_max_freq', powersave: 'scaling_min_freq' }

/** Drivers that choose the frequency themselves have governors of the same names that mean a preference. */
const isSelfGoverned = ({ read }: Policy): boolean =>
  /^(intel_pstate|amd-pstate-epp)$/.test(read('scaling_driver') ?? '')

const watch = async (
  { place, to }: Change,
  selection: Parameters<typeof listPolicies>[0],
): Promise<() => Promise<Effect>> => {
  const policy = listPolicies(selection).find(
    other => place.kind === 'file' && place.path.includes(`/${other.name}/`),
  )
  const held = HELD[to]
  if (policy === undefined || held === undefined || isSelfGoverned(policy))
    return async () => ({ state: 'verified', evidence: 'it reads back' })
  const isHeld = () => policy.number('scaling_cur_freq') === policy.number(held)
  return () =>
    watchFor(
      () => (isHeld() ? { state: 'verified', evidence: `${policy.number(held)} kHz` } : null),
      () => noEffect(`the frequency is ${policy.number('scaling_cur_freq')} kHz, not ${policy.number(held)}`),
    )
}

export const governor: Knob = {
  name: 'cpu.governor',
  about: "What chooses the CPUs' frequency.",
  where: '/sys/devices/system/cpu/cpufreq/policyN/scaling_governor',
  default: "schedutil, ondemand or powersave, as the kernel's builder chose",
  values: 'a name of scaling_available_governors, as performance',
  helps: '`app_cpu` and `protocol` are longer when the load is low and frequencies fall.',
  harms: 'performance: power and heat, and throttling where the cooling does not carry it.',
  effect: 'scaling_cur_freq is the highest (performance) or the lowest (powersave).',
  selector: 'cpus',
  plan: async (value, selection) => {
    const assignments = listPolicies(selection).map(policy => ({
      place: policyFile(policy, 'scaling_governor'),
      to: readWord(value, (policy.read('scaling_available_governors') ?? '').split(' ')),
    }))
    return keepPresent(assignments, 'the driver of the frequencies has no governors')
  },
  watch,
}
