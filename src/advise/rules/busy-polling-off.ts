import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const BUSY = 0.9
const WAITS = 0.2

/** Busy polling is on where it is not worth it: threads that look for packets keep others, or each other, from the CPU. */
export const busyPollingOff: Rule = {
  name: 'busy-polling-off',
  when: 'busy polling is on, and more threads of the service are at work than it has CPUs, or its CPUs are full and requests wait for them',
  knobs: ['net.busy_poll', 'net.busy_read'],
  find: evidence => {
    const { busyPollUs, busyReadUs, busyThreads, serviceCpus, cpus } = evidence.machine
    const on = [
      { knob: 'net.busy_poll' as const, us: busyPollUs ?? 0 },
      { knob: 'net.busy_read' as const, us: busyReadUs ?? 0 },
    ].filter(({ us }) => us > 0)
    const own = cpus.filter(({ cpu }) => serviceCpus.includes(cpu))
    if (on.length === 0 || own.length === 0) return null
    const busy = own.reduce((sum, each) => sum + each.busy, 0) / own.length
    const waits = shareOfTail(evidence, 'runqueue', 'dispatch', 'app_wait')
    if (busyThreads <= own.length && (busy < BUSY || waits < WAITS)) return null
    return {
      finding: 'busy polling is on, and takes CPU time that requests wait for',
      evidence: [
        ...on.map(({ knob, us }) => `${knob} is ${us} µs`),
        `${busyThreads} threads of the service were at work, on ${own.length} CPUs, which were busy for ${percent(busy)} of the time`,
        `${percent(waits)} of the slowest 1 % is waiting (runqueue, dispatch, app_wait)`,
      ],
      settings: on.map(({ knob }) => ({ knob, value: '0' })),
      gain: estimateGain(evidence, 'runqueue', 'dispatch', 'app_wait'),
      cost: 'none: it saves CPU time and power',
      expense: 'none',
      risk: 'an interrupt and a wake-up for each packet where CPUs are idle',
    }
  },
}
