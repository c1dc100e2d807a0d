import { sameCpuShare } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const AWAY = 0.5

/** Packets are worked on elsewhere than they are read: RFS has the CPU that reads do it. */
export const awayFromApp: Rule = {
  name: 'away-from-app',
  find: evidence => {
    const { machine } = evidence
    const same = sameCpuShare(evidence)
    if (same === null || same >= AWAY || machine.isRfsOn || machine.nic === null || machine.cpus.length < 2)
      return null
    return {
      finding: 'most requests come in on another CPU than the one that reads them',
      evidence: [`${percent(1 - same)} of the requests are read on another CPU than that of their softirq`],
      settings: [{ knob: 'net.rfs', value: '32768', nic: machine.nic.name }],
      gain: estimateGain(evidence, 'protocol', 'idle_exit', 'runqueue'),
      cost: 'a table of 32,768 flows, 128 KiB',
      risk: 'no effect on threads that move or share sockets',
    }
  },
}
