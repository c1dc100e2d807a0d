import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const STEERS = 0.2

/** RPS sends packets to CPUs that have other work. */
export const steeredToBusyCpu: Rule = {
  name: 'steered-to-busy-cpu',
  find: evidence => {
    const { machine } = evidence
    const share = shareOfTail(evidence, 'steer')
    if (share < STEERS || machine.rpsCpus.length === 0 || machine.nic === null) return null
    const busy = machine.cpus.filter(({ cpu }) => machine.rpsCpus.includes(cpu))
    return {
      finding: `packets of ${machine.nic.name} are steered to CPU ${machine.rpsCpus.join(',')} (RPS), and wait there`,
      evidence: [
        `${percent(share)} of the slowest 1 % is steer`,
        ...busy.map(({ cpu, busy }) => `CPU ${cpu} was busy for ${percent(busy)} of the time`),
      ],
      settings: [{ knob: 'net.rps', value: 'none', nic: machine.nic.name }],
      gain: estimateGain(evidence, 'steer'),
      cost: 'the CPU that takes a packet does all the work for it',
      risk: 'that CPU may become full',
    }
  },
}
