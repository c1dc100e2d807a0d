import { findPolicy, isSelfGoverned, listPolicies, policyFile } from './cpufreq.js'
import { type Change, type Knob, type Look, type Selection, Unavailable } from './knob.js'
import { readWhole } from './number-values.js'
import { noEffect, readsBack, watchFor } from './watching.js'

/** On x86 the frequency is measured over the last ticks, and lags. */
const TOLERANCE = 0.05

const watch = async ({ place, from, to }: Change, selection: Selection): Promise<Look> => {
  const policy = findPolicy(place, selection)
  const now = () => policy?.number('scaling_cur_freq') ?? Number.NaN
  if (policy === undefined || isSelfGoverned(policy) || Number.isNaN(now()) || Number(to) < Number(from))
    return readsBack('the load decides the frequency, or nothing tells it')
  return signal =>
    watchFor(
      () =>
        now() >= Number(to) * (1 - TOLERANCE)
          ? { state: 'verified', evidence: `the frequency is ${now()} kHz` }
          : null,
      () => noEffect(`the frequency is ${now()} kHz`),
      signal,
    )
}

export const minFreq: Knob = {
  name: 'cpu.min_freq',
  about: 'The lowest frequency that the CPUs may have.',
  where: '/sys/devices/system/cpu/cpufreq/policyN/scaling_min_freq',
  default: "the hardware's lowest",
  values: 'min, max, or kHz',
  helps: 'As cpu.governor, where only the limits can be set.',
  harms: 'Power and heat.',
  effect: 'When it is raised, scaling_cur_freq is that at least.',
  selector: 'cpus',
  check: value => {
    if (value !== 'min' && value !== 'max') readWhole(value, 0, Number.MAX_SAFE_INTEGER, 'kHz')
  },
  plan: async (value, selection) => {
    const limits = listPolicies(selection)
      .map(policy => ({
        policy,
        min: policy.number('cpuinfo_min_freq'),
        max: policy.number('scaling_max_freq'),
      }))
      .filter(({ min, max }) => Number.isFinite(min) && Number.isFinite(max))
    if (limits.length === 0) throw new Unavailable('the driver of the frequencies has no limits')
    return limits.map(({ policy, min, max }) => {
      const to =
        value === 'min' ? String(min) : value === 'max' ? String(max) : readWhole(value, min, max, 'kHz')
      return { place: policyFile(policy, 'scaling_min_freq'), to }
    })
  },
  watch,
}
