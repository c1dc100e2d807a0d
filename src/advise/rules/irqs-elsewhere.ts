import { formatCpuList } from '../../system/cpu-list.js'
import type { IrqLoad } from '../evidence.js'
import { readingCpus, sameCpuShare, shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'
import { isCrowded } from './irq-on-app-cpu.js'

/** The card's interrupts come to the CPU of the service, and can go to one that it does not use. */
export const irqsElsewhere: Rule = {
  name: 'irqs-elsewhere',
  when: "the card's interrupts come to a CPU that the service runs on, can be moved, and there is a CPU that it does not run on",
  knobs: ['irq.affinity'],
  find: evidence => {
    const { nic, irqs, cpus } = evidence.machine
    const own = readingCpus(evidence)
    const free = cpus.map(({ cpu }) => cpu).filter(cpu => !own.includes(cpu))
    const beside = irqs.filter(irq => irq.isMovable && own.includes(mostOn(irq) ?? -1))
    const [first] = beside
    if (nic === null || first === undefined || free.length === 0 || own.length === 0) return null
    const cpu = mostOn(first)
    if (cpu === undefined || !isCrowded(evidence, cpu)) return null
    return {
      finding: `interrupts of ${nic.name} come to CPU ${cpu}, where the service runs, and can go elsewhere`,
      evidence: [
        ...beside.map(({ irq, name, counts }) => {
          const count = counts.reduce((sum, [, each]) => sum + each, 0)
          return `interrupt ${irq} (${name}) came ${count} times, mostly to CPU ${mostOn({ counts })}`
        }),
        `${percent(sameCpuShare(evidence) ?? 0)} of the requests are read on the CPU of their softirq`,
        `${percent(shareOfTail(evidence, 'irq', 'runqueue', 'app_wait', 'dispatch'))} of the slowest 1 % is waiting (irq, runqueue, dispatch, app_wait)`,
      ],
      settings: [{ knob: 'irq.affinity', value: formatCpuList(free), nic: nic.name }],
      gain: estimateGain(evidence, 'irq', 'runqueue', 'app_wait', 'dispatch'),
      cost: `CPU ${formatCpuList(free)} does the work for packets`,
      expense: 'low',
      risk: 'packets are read on another CPU than they come in on; the driver moves the interrupts back when the link goes down and up',
    }
  },
}

const mostOn = ({ counts }: Pick<IrqLoad, 'counts'>): number | undefined =>
  counts.toSorted(([, a], [, b]) => b - a)[0]?.[0]
