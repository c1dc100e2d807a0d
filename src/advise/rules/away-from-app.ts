import { readingCpus, sameCpuShare } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

/** A service that is moved about between two CPUs is on the wrong one half of the time. */
const AWAY = 0.3

/** Packets are worked on elsewhere than they are read: RFS has the CPU that reads do it. */
export const awayFromApp: Rule = {
  name: 'away-from-app',
  when: 'three in ten requests or more are read on another CPU than that of their softirq, and receive flow steering is off',
  knobs: ['net.rfs'],
  find: evidence => {
    const { nic, isRfsOn, cpus } = evidence.machine
    const same = sameCpuShare(evidence)
    if (same === null || 1 - same < AWAY || isRfsOn === true || nic === null || cpus.length < 2) return null
    return {
      finding: 'many requests come in on another CPU than the one that reads them',
      evidence: [
        `${percent(1 - same)} of the requests are read on another CPU than that of their softirq`,
        `the service reads on CPU ${readingCpus(evidence).join(' and ')}`,
      ],
      settings: isRfsOn === null ? [] : [{ knob: 'net.rfs', value: '32768', nic: nic.name }],
      gain: estimateGain(evidence, 'steer', 'protocol', 'idle_exit'),
      cost: 'a table of 32,768 flows, 128 KiB',
      expense: 'low',
      risk:
        isRfsOn === null
          ? 'receive flow steering would help, but its table can only be set from the first network namespace (net.core.rps_sock_flow_entries)'
          : 'no effect on threads that share sockets',
    }
  },
}
