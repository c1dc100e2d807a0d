import type { Rule } from '../rule.js'

/** Interrupts that are moved about while requests are answered. */
export const irqbalanceMoves: Rule = {
  name: 'irqbalance',
  when: "irqbalance runs, and an interrupt of the card's came to several CPUs",
  knobs: ['irq.affinity'],
  find: ({ machine }) => {
    const tuner = machine.tuners.find(({ name }) => name === 'irqbalance')
    const moved = machine.irqs.filter(({ counts }) => counts.filter(([, count]) => count > 1).length > 1)
    if (tuner === undefined || moved.length === 0 || machine.nic === null) return null
    return {
      finding: `irqbalance (${tuner.pid}) moves the interrupts of ${machine.nic.name} about`,
      evidence: moved.map(
        ({ irq, counts }) => `interrupt ${irq} came to CPU ${counts.map(([cpu]) => cpu).join(' and ')}`,
      ),
      settings: [{ knob: 'irq.affinity', value: 'first', nic: machine.nic.name }],
      gain: null,
      cost: 'one CPU takes them all',
      expense: 'low',
      risk: 'that CPU may become full',
    }
  },
}
