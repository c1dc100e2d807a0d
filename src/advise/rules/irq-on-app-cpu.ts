import { formatCpuList } from '../../system/cpu-list.js'
import { type Evidence, sameCpuShare, shareOfTail, softirqCpus } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAITS = 0.2
const SAME = 0.5
const SOFTIRQ = 0.3

/** Tells whether softirqs and the service are in each other's way on a CPU: requests wait there, or softirqs take much of it. */
export const isCrowded = (evidence: Evidence, cpu: number): boolean => {
  const same = sameCpuShare(evidence)
  const softirq = evidence.machine.cpus.find(each => each.cpu === cpu)?.softirq ?? 0
  const waits = shareOfTail(evidence, 'irq', 'runqueue', 'app_wait', 'dispatch')
  return same !== null && same >= SAME && (waits >= WAITS || softirq >= SOFTIRQ)
}

/** Softirqs and the service on one CPU: packets that come in take the CPU from the thread that answers. */
export const irqOnAppCpu: Rule = {
  name: 'irq-on-app-cpu',
  when: 'most requests are read on the CPU of their softirq, and wait there for the CPU or softirqs take much of it',
  knobs: ['cpu.app_affinity'],
  find: evidence => {
    const { document, machine } = evidence
    const [cpu] = softirqCpus(evidence)
    const others = machine.cpus.map(each => each.cpu).filter(each => each !== cpu)
    if (cpu === undefined || others.length === 0 || !isCrowded(evidence, cpu)) return null
    const softirq = machine.cpus.find(each => each.cpu === cpu)?.softirq ?? 0
    return {
      finding: `packets come in on CPU ${cpu}, and the service runs there too`,
      evidence: [
        `${percent(sameCpuShare(evidence) ?? 0)} of the requests are read on the CPU of their softirq`,
        `${percent(shareOfTail(evidence, 'irq', 'runqueue', 'app_wait', 'dispatch'))} of the slowest 1 % is waiting (irq, runqueue, dispatch, app_wait)`,
        `softirqs took ${percent(softirq)} of CPU ${cpu}`,
      ],
      settings: [{ knob: 'cpu.app_affinity', value: formatCpuList(others), port: document.target.port }],
      gain: estimateGain(evidence, 'irq', 'runqueue', 'app_wait', 'dispatch'),
      cost: `the service has ${others.length} of ${others.length + 1} CPUs left`,
      expense: 'medium',
      risk: 'harms a service that is bound by its CPUs',
    }
  },
}
