import { formatCpuList } from '../../system/cpu-list.js'
import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAITS = 0.2

/** A card whose interrupts can't be moved: its polling can, in a thread. */
export const irqsStay: Rule = {
  name: 'irqs-stay',
  when: "none of the card's interrupts can be moved, and requests wait for their CPU",
  knobs: ['net.threaded_napi'],
  find: evidence => {
    const { machine } = evidence
    const share = shareOfTail(evidence, 'irq', 'runqueue', 'app_wait')
    const stays = machine.irqs.length > 0 && machine.irqs.every(({ isMovable }) => !isMovable)
    if (!stays || share < WAITS || machine.nic === null) return null
    const cpus = [...new Set(machine.irqs.flatMap(({ counts }) => counts.map(([cpu]) => cpu)))]
    return {
      finding: `the interrupts of ${machine.nic.name} can't be moved${cpus.length === 0 ? '' : ` from CPU ${formatCpuList(cpus)}`}`,
      evidence: [`${percent(share)} of the slowest 1 % is waiting (irq, runqueue, app_wait)`],
      settings: [{ knob: 'net.threaded_napi', value: 'all', nic: machine.nic.name }],
      gain: estimateGain(evidence, 'irq', 'runqueue', 'app_wait'),
      cost: 'one more wake-up for each batch of packets',
      expense: 'low',
      risk: 'a little slower at a low rate',
    }
  },
}
