import { formatCpuList } from '../../system/cpu-list.js'
import type { IrqLoad } from '../evidence.js'
import { estimateGain } from '../gain.js'
import type { Rule } from '../rule.js'

/** An interrupt may have been under way to the CPU where it went before. */
const UNDER_WAY = 1

/** Interrupts that are moved about while requests are answered. */
export const irqbalanceMoves: Rule = {
  name: 'irqbalance',
  when: "irqbalance runs, and an interrupt of the card's that it was not told to leave alone went to another CPU meanwhile",
  knobs: ['irq.affinity'],
  find: evidence => {
    const { machine } = evidence
    const tuner = machine.tuners.find(({ name }) => name === 'irqbalance')
    const moved = machine.irqs.filter(irq => irq.isBanned !== true && hasMoved(irq))
    if (tuner === undefined || moved.length === 0 || machine.nic === null) return null
    return {
      finding: `irqbalance (${tuner.pid}) moves the interrupts of ${machine.nic.name} about`,
      evidence: moved.map(describe),
      settings: [{ knob: 'irq.affinity', value: 'first', nic: machine.nic.name }],
      gain: estimateGain(evidence, 'irq', 'driver', 'protocol'),
      cost: 'one CPU takes them all',
      expense: 'low',
      risk: 'that CPU may become full',
    }
  },
}

/** It goes elsewhere than at first, or went elsewhere in between: what goes to one CPU does not come to two by itself. */
const hasMoved = ({ cpus, cpusBefore, counts }: IrqLoad): boolean =>
  cpus.join() !== cpusBefore.join() || (cpus.length === 1 && visited(counts).length > 1)

const visited = (counts: IrqLoad['counts']): IrqLoad['counts'] =>
  counts.filter(([, count]) => count > UNDER_WAY)

const describe = ({ irq, name, cpus, cpusBefore, counts }: IrqLoad): string => {
  const times = counts.map(([cpu, count]) => `${count} times to CPU ${cpu}`).join(', ')
  const way =
    cpus.join() === cpusBefore.join()
      ? `goes to CPU ${formatCpuList(cpus)} as before`
      : `went from CPU ${formatCpuList(cpusBefore)} to ${formatCpuList(cpus)}`
  return `interrupt ${irq} (${name}) ${way}, and came ${times || 'never'} meanwhile`
}
