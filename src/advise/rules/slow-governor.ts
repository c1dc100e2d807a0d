import type { StageName } from '../../latency/stages.js'
import { shareOfTail } from '../evidence.js'
import { estimateSpeedup } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const FASTEST = 'performance'
const SLOW = 0.9
/** What a CPU's clock makes longer or shorter. */
const COMPUTING: readonly StageName[] = ['driver', 'protocol', 'recv', 'app_cpu', 'send']

/** The clock follows the load, and is behind it. */
export const slowGovernor: Rule = {
  name: 'slow-governor',
  when: 'CPUs that were busy ran below nine tenths of their highest frequency, and their governor is not performance',
  knobs: ['cpu.governor'],
  find: evidence => {
    const { governors, clockShare } = evidence.machine
    const slow = [...new Set(governors.filter(name => name !== FASTEST))]
    if (slow.length === 0 || clockShare === null || clockShare >= SLOW) return null
    return {
      finding: `the governor ${slow.join(', ')} has the CPUs run slower than they could while they have work`,
      evidence: [
        `while busy, the CPUs ran at ${percent(clockShare)} of their highest frequency (scaling_cur_freq)`,
        `${percent(shareOfTail(evidence, ...COMPUTING))} of the slowest 1 % is work of CPUs`,
      ],
      settings: [{ knob: 'cpu.governor', value: FASTEST }],
      gain: estimateSpeedup(evidence, clockShare, ...COMPUTING),
      cost: 'power, and heat',
      expense: 'medium',
      risk: 'a passively cooled board gets slower once it is hot',
    }
  },
}
