import {
  findPolicy,
  isSelfGoverned,
  listPolicies,
  type Policy,
  PREFERENCE,
  PREFERENCES,
  policyFile,
  readWordList,
} from './cpufreq.js'
import { type Assignment, type Change, type Knob, type Look, type Selection, Unavailable } from './knob.js'
import { checkName, keepOffering } from './number-values.js'
import { noEffect, readsBack, watchFor } from './watching.js'

/** Those of the kernel (Documentation/admin-guide/pm/cpufreq.rst); a machine offers some. */
const GOVERNORS = ['performance', 'powersave', 'ondemand', 'conservative', 'schedutil', 'userspace']
const AVAILABLE = 'scaling_available_governors'

/**
 * How far from the limit the frequency may be, as a share of what the limits leave, and of the frequency. On x86 the file is not what
 * was asked for but what was measured over the last ticks, with turbo above the limit and an average that lags.
 */
const SHARE_OF_RANGE = 1 / 4
const SHARE_OF_FREQUENCY = 0.05

/** Whether a frequency is at the limit that a governor holds whatever the load; null where the load decides, or nothing tells. */
const isHeld = (governor: string, { number }: Policy): boolean | null => {
  const now = number('scaling_cur_freq')
  if (Number.isNaN(now)) return null
  const high = number('scaling_max_freq')
  const low = number(governor === 'powersave' ? 'scaling_min_freq' : 'cpuinfo_min_freq')
  const tolerance = Math.max((high - low) * SHARE_OF_RANGE, now * SHARE_OF_FREQUENCY)
  if (governor === 'performance') return now >= high - tolerance
  if (governor === 'powersave') return now <= low + tolerance
  return null
}

const watch = async ({ place, to }: Change, selection: Selection): Promise<Look> => {
  const policy = findPolicy(place, selection)
  if (policy === undefined || isSelfGoverned(policy) || isHeld(to, policy) === null)
    return readsBack('the load decides the frequency, or nothing tells it')
  return signal =>
    watchFor(
      () =>
        isHeld(to, policy)
          ? { state: 'verified', evidence: `the frequency is ${policy.number('scaling_cur_freq')} kHz` }
          : null,
      () => noEffect(`the frequency is ${policy.number('scaling_cur_freq')} kHz`),
      signal,
    )
}

/** With that governor some drivers change the preference as well, and keep it: so it is set before, to be put back after. */
const preferPerformance = (policy: Policy): Assignment[] =>
  isSelfGoverned(policy) && readWordList(PREFERENCES)(policy).includes('performance')
    ? [{ place: policyFile(policy, PREFERENCE), to: 'performance' }]
    : []

export const governor: Knob = {
  name: 'cpu.governor',
  about: "What chooses the CPUs' frequency.",
  where: '/sys/devices/system/cpu/cpufreq/policyN/scaling_governor',
  default: "schedutil, ondemand or powersave, as the kernel's builder chose",
  values: 'a name of scaling_available_governors, as performance',
  helps: '`app_cpu` and `protocol` are longer when the load is low and frequencies fall.',
  harms: 'performance: power and heat, and throttling where the cooling does not carry it.',
  effect:
    'scaling_cur_freq is near the highest (performance) or the lowest (powersave); of other governors the load decides.',
  selector: 'cpus',
  check: checkName,
  plan: async (value, selection) => {
    const policies = listPolicies(selection).filter(({ read }) => read(AVAILABLE) !== null)
    if (policies.length === 0) throw new Unavailable('the driver of the frequencies has no governors')
    const offering = keepOffering(value, GOVERNORS, policies, readWordList(AVAILABLE))
    return offering.flatMap(policy => [
      ...(value === 'performance' ? preferPerformance(policy) : []),
      { place: policyFile(policy, 'scaling_governor'), to: value },
    ])
  },
  watch,
}
