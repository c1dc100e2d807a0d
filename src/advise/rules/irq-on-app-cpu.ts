import { formatCpuList } from '../../system/cpu-list.js'
import { sameCpuShare, shareOfTail, softirqCpus } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAITS = 0.2
const SAME = 0.5

/** Softirqs and the service on one CPU: packets that come in take the CPU from the thread that answers. */
export const irqOnAppCpu: Rule = {
  name: 'irq-on-app-cpu',
  find: evidence => {
    const { document, machine } = evidence
    const same = sameCpuShare(evidence)
    const waits = shareOfTail(evidence, 'runqueue', 'app_wait', 'dispatch')
    const [cpu] = softirqCpus(evidence)
    const others = machine.cpus.map(each => each.cpu).filter(each => each !== cpu)
    if (same === null || same < SAME || waits < WAITS || cpu === undefined || others.length === 0) return null
    return {
      finding: `packets come in on CPU ${cpu}, and the service runs there too`,
      evidence: [
        `${percent(same)} of the requests are read on the CPU of their softirq`,
        `${percent(waits)} of the slowest 1 % is waiting (runqueue, dispatch, app_wait)`,
      ],
      settings: [{ knob: 'cpu.app_affinity', value: formatCpuList(others), port: document.target.port }],
      gain: estimateGain(evidence, 'runqueue', 'app_wait', 'dispatch'),
      cost: `the service has ${others.length} of ${others.length + 1} CPUs left`,
      risk: 'harms a service that is bound by its CPUs',
    }
  },
}
