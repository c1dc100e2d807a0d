import { shareOfTail } from '../evidence.js'
import { percent, type Rule } from '../rule.js'

const DOMINATES = 0.7

/** The most useful line of all: where the service itself takes the time, no setting of the machine will give it back. */
export const ownTime: Rule = {
  name: 'own-time',
  when: 'the service itself is seven tenths or more of the slowest 1 %',
  knobs: [],
  find: (evidence, found) => {
    const computing = shareOfTail(evidence, 'app_cpu')
    const all = shareOfTail(evidence, 'app_cpu', 'app_wait')
    if (all < DOMINATES) return null
    // Some settings shorten that work, keep softirqs from interrupting it, or help with the rest.
    const mayHelp = found.some(({ settings }) => settings.length > 0)
    const others = mayHelp ? 'no setting will help but what is advised besides' : 'no setting will help'
    const finding =
      computing >= DOMINATES
        ? `${others}: ${percent(computing)} of the slowest 1 % is the service's own work (app_cpu)`
        : `hardly a setting will help${mayHelp ? ' but what is advised besides' : ''}: ${percent(all)} of the slowest 1 % is the service itself, ${percent(all - computing)} of it waiting (app_wait)`
    return {
      finding,
      evidence: [`app_cpu ${percent(computing)}, app_wait ${percent(all - computing)} of the slowest 1 %`],
      settings: [],
      gain: null,
      cost: 'none',
      expense: 'none',
      risk: 'none: look into the service, with a profiler, or for what it waits for',
    }
  },
}
