import { shareOfTail } from '../evidence.js'
import { percent, type Rule } from '../rule.js'

const FASTEST = 'performance'

/** The clock follows the load, and is behind it. */
export const slowGovernor: Rule = {
  name: 'slow-governor',
  find: evidence => {
    const slow = [...new Set(evidence.machine.governors.filter(name => name !== FASTEST))]
    if (slow.length === 0) return null
    return {
      finding: `the governor ${slow.join(', ')} does not let the CPUs run at their highest frequency all the time`,
      evidence: [
        `${percent(shareOfTail(evidence, 'app_cpu', 'protocol', 'send', 'recv'))} of the slowest 1 % is work of CPUs`,
      ],
      settings: [{ knob: 'cpu.governor', value: FASTEST }],
      gain: null,
      cost: 'power, and heat',
      risk: 'a passively cooled board gets slower once it is hot',
    }
  },
}
