import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAKES = 0.3
const IDLE = 0.6

/** Threads that wait look at the card themselves: no interrupt, no wake-up. Worth it where CPUs have nothing else to do. */
export const busyPolling: Rule = {
  name: 'busy-polling',
  when: 'three tenths of the slowest 1 % are interrupts and waking up, behind a card with interrupts and on CPUs that are mostly idle, the service has no more busy threads than CPUs, and busy polling is off',
  knobs: ['net.busy_poll', 'net.busy_read'],
  find: evidence => {
    const { machine, document } = evidence
    const share = shareOfTail(evidence, 'irq', 'idle_exit')
    if (share < WAKES || machine.busyPollUs !== 0 || machine.nic === null || machine.nic.irqs.length === 0)
      return null
    const idle = machine.cpus.reduce((sum, { busy }) => sum + 1 - busy, 0) / Math.max(1, machine.cpus.length)
    if (idle < IDLE || machine.busyThreads > machine.serviceCpus.length) return null
    const returns = document.overheads.ready_to_return_us
    return {
      finding: 'interrupts and waking up take the time, on CPUs that are mostly idle',
      evidence: [
        `${percent(share)} of the slowest 1 % is irq and idle_exit`,
        `the CPUs were idle for ${percent(idle)} of the time`,
        ...(returns === null ? [] : [`from ready to returned, a thread's wait takes ${returns} µs`]),
      ],
      settings: [
        { knob: 'net.busy_poll', value: '50' },
        { knob: 'net.busy_read', value: '50' },
      ],
      gain: estimateGain(evidence, 'irq', 'idle_exit'),
      cost: 'CPU time and power while waiting',
      expense: 'high',
      risk: 'harms once there are more threads than CPUs',
    }
  },
}
