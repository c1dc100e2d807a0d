import { estimateGain } from '../gain.js'
import type { Rule } from '../rule.js'

const PACKETS = 1.5
const RATE = 5000

/** An interrupt for nearly every packet, and many of them. */
export const manyInterrupts: Rule = {
  name: 'many-interrupts',
  when: `the card interrupts for nearly every packet, ${RATE} times a second or more`,
  knobs: ['net.gro_flush_timeout', 'net.napi_defer_hard_irqs'],
  find: evidence => {
    const { document, machine } = evidence
    const packets = document.overheads.packets_per_interrupt
    const count = machine.irqs.reduce(
      (sum, { counts }) => sum + counts.reduce((all, [, each]) => all + each, 0),
      0,
    )
    const rate = document.seconds > 0 ? count / document.seconds : 0
    if (packets === null || packets > PACKETS || rate < RATE || machine.nic === null) return null
    return {
      finding: 'the network card interrupts for nearly every packet',
      evidence: [`${packets} packets an interrupt, ${Math.round(rate)} interrupts a second`],
      settings: [
        { knob: 'net.gro_flush_timeout', value: '20000', nic: machine.nic.name },
        { knob: 'net.napi_defer_hard_irqs', value: '100', nic: machine.nic.name },
      ],
      gain: estimateGain(evidence, 'irq', 'runqueue'),
      cost: 'up to 20 µs more for a packet that comes alone',
      expense: 'low',
      risk: 'worse at a low rate',
    }
  },
}
