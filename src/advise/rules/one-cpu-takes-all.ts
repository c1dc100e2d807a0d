import { formatCpuList } from '../../system/cpu-list.js'
import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const FULL = 0.5
const IDLE = 0.5
const WAITS = 0.1

/** One CPU does the softirqs for all packets while others idle. */
export const oneCpuTakesAll: Rule = {
  name: 'one-cpu-takes-all',
  when: 'softirqs take half or more of one CPU while others idle, a tenth of the slowest 1 % lies between interrupt and socket, and RPS is off',
  knobs: ['net.rps'],
  find: evidence => {
    const { machine, document } = evidence
    const [full] = machine.cpus.toSorted((a, b) => b.softirq - a.softirq)
    const idle = machine.cpus.filter(({ cpu, busy }) => cpu !== full?.cpu && busy < 1 - IDLE)
    const share = shareOfTail(evidence, 'irq', 'driver', 'steer', 'protocol')
    if (full === undefined || full.softirq < FULL || idle.length === 0) return null
    if (share < WAITS || machine.nic === null || machine.rpsCpus.length > 0) return null
    const { packet_ns } = document.overheads
    return {
      finding: `CPU ${full.cpu} does the work for all packets while others idle`,
      evidence: [
        `softirqs took ${percent(full.softirq)} of CPU ${full.cpu}`,
        `${percent(share)} of the slowest 1 % lies between the interrupt and the socket`,
        ...(packet_ns === null ? [] : [`a packet takes ${packet_ns} ns of softirq`]),
      ],
      settings: [
        { knob: 'net.rps', value: formatCpuList(idle.map(({ cpu }) => cpu)), nic: machine.nic.name },
      ],
      gain: estimateGain(evidence, 'irq', 'driver', 'steer', 'protocol'),
      cost: 'an interrupt between CPUs for each batch of packets',
      expense: 'low',
      risk: 'steer grows where the other CPUs have work of their own',
    }
  },
}
