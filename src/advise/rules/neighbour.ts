import { formatCpuList } from '../../system/cpu-list.js'
import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAITS = 0.2
const BUSY = 0.2

/** Somebody else runs where the service wants to. */
export const neighbour: Rule = {
  name: 'neighbour',
  find: evidence => {
    const { document, machine } = evidence
    const share = shareOfTail(evidence, 'runqueue', 'app_wait', 'dispatch')
    const [other] = machine.neighbours
      .filter(each => each.share >= BUSY && machine.serviceCpus.includes(each.cpu))
      .toSorted((a, b) => b.share - a.share)
    if (share < WAITS || other === undefined) return null
    const free = machine.cpus.map(({ cpu }) => cpu).filter(cpu => cpu !== other.cpu)
    if (free.length === 0) return null
    return {
      finding: `${other.comm} (${other.pid}) runs on CPU ${other.cpu}, where the service may run as well`,
      evidence: [
        `${other.comm} took ${percent(other.share)} of a CPU`,
        `${percent(share)} of the slowest 1 % is waiting for a CPU or for the thread's turn (runqueue, dispatch, app_wait)`,
      ],
      settings: [{ knob: 'cpu.app_affinity', value: formatCpuList(free), port: document.target.port }],
      gain: estimateGain(evidence, 'runqueue', 'app_wait', 'dispatch'),
      cost: `the service has ${free.length} of ${free.length + 1} CPUs left`,
      risk: 'harms a service that needs all CPUs; the neighbour may move as well',
    }
  },
}
