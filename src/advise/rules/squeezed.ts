import { estimateGain } from '../gain.js'
import type { Rule } from '../rule.js'

/** NET_RX used up its budget with packets left. */
export const squeezed: Rule = {
  name: 'squeezed',
  when: 'the receive softirq used up its budget once a second or more (time_squeeze)',
  knobs: ['net.budget'],
  find: evidence => {
    const { document, machine } = evidence
    const rate = document.seconds > 0 ? machine.squeezes / document.seconds : 0
    if (rate < 1) return null
    return {
      finding: 'packets had to wait because the softirq had used up its budget',
      evidence: [`${machine.squeezes} times in ${document.seconds} s (time_squeeze of softnet_stat)`],
      settings: [{ knob: 'net.budget', value: '600/8000' }],
      gain: estimateGain(evidence, 'irq', 'driver', 'steer'),
      cost: 'softirqs run for longer at a time',
      expense: 'low',
      risk: 'the service waits for them',
    }
  },
}
