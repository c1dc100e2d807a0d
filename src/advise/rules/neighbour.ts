import { formatCpuList } from '../../system/cpu-list.js'
import { type MachineEvidence, type Neighbour, shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAITS = 0.2
const BUSY = 0.2

/** Somebody else runs where the service wants to. */
export const neighbour: Rule = {
  name: 'neighbour',
  when: 'requests wait for a CPU, and another process takes a fifth or more of one that the service may run on',
  knobs: ['cpu.app_affinity'],
  find: evidence => {
    const { document, machine } = evidence
    const share = shareOfTail(evidence, 'runqueue', 'app_wait', 'dispatch')
    const [other] = machine.neighbours
      .filter(each => each.share >= BUSY && machine.serviceCpus.includes(each.cpu))
      .toSorted((a, b) => b.share - a.share)
    if (share < WAITS || other === undefined) return null
    const free = findFree(machine, other)
    const preempted = document.overheads.context_switches_per_request?.involuntary ?? null
    return {
      finding:
        free.length === 0
          ? `no setting will help against ${other.comm} (${other.pid}), which runs on CPU ${other.cpu}, the only one`
          : `${other.comm} (${other.pid}) runs on CPU ${other.cpu}, where the service may run as well`,
      evidence: [
        `${other.comm} (${other.pid}) took ${percent(other.share)} of CPU ${other.cpu}`,
        `${percent(share)} of the slowest 1 % is waiting for a CPU or for the thread's turn (runqueue, dispatch, app_wait)`,
        ...(preempted === null ? [] : [`its threads had to leave their CPU ${preempted} times a request`]),
      ],
      ...(free.length === 0
        ? {
            settings: [],
            gain: null,
            cost: 'none',
            expense: 'none',
            risk: 'none: a lower priority (nice, cpu.weight) is for the owner of that process to give it',
          }
        : {
            settings: [{ knob: 'cpu.app_affinity', value: formatCpuList(free), port: document.target.port }],
            gain: estimateGain(evidence, 'runqueue', 'app_wait', 'dispatch'),
            cost: `the service has ${free.length} of ${machine.cpus.length} CPUs left`,
            expense: 'medium',
            risk: 'harms a service that needs all CPUs; the neighbour may move as well',
          }),
    }
  },
}

/** The CPUs that nobody else uses much; or else all but that of the worst. */
const findFree = ({ cpus, neighbours }: MachineEvidence, worst: Neighbour): number[] => {
  const taken = neighbours.filter(({ share }) => share >= BUSY).map(({ cpu }) => cpu)
  const free = cpus.map(({ cpu }) => cpu).filter(cpu => !taken.includes(cpu))
  return free.length > 0 ? free : cpus.map(({ cpu }) => cpu).filter(cpu => cpu !== worst.cpu)
}
