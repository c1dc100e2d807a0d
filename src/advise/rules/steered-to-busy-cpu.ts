import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const STEERS = 0.2
const WAITS = 0.15
const BURNS = 0.5

/** RPS sends packets to CPUs that have other work. */
export const steeredToBusyCpu: Rule = {
  name: 'steered-to-busy-cpu',
  when: 'RPS sends packets to a CPU that another process burns, and 15 % of the slowest 1 % is waiting, or their way there (steer) is a fifth of it',
  knobs: ['net.rps'],
  find: evidence => {
    const { cpus, neighbours, nic, rpsCpus } = evidence.machine
    const burning = neighbours
      .filter(({ cpu, share }) => rpsCpus.includes(cpu) && share >= BURNS)
      .toSorted((a, b) => b.share - a.share)
    const steer = shareOfTail(evidence, 'steer')
    const waits = shareOfTail(evidence, 'steer', 'runqueue', 'dispatch', 'app_wait')
    if (nic === null || rpsCpus.length === 0) return null
    if (steer < STEERS && (burning.length === 0 || waits < WAITS)) return null
    const [worst] = burning
    const target = `packets of ${nic.name} are steered to CPU ${rpsCpus.join(',')} (RPS)`
    return {
      finding:
        worst === undefined
          ? `${target}, and wait there`
          : `${target}, where ${worst.comm} (${worst.pid}) takes the time`,
      evidence: [
        `${percent(steer)} of the slowest 1 % is steer, ${percent(waits)} with the waiting that follows (runqueue, dispatch, app_wait)`,
        ...burning.map(
          ({ comm, pid, share, cpu }) => `${comm} (${pid}) took ${percent(share)} of CPU ${cpu}`,
        ),
        ...cpus
          .filter(({ cpu }) => rpsCpus.includes(cpu))
          .map(({ cpu, busy }) => `CPU ${cpu} was busy for ${percent(busy)} of the time`),
      ],
      settings: [{ knob: 'net.rps', value: 'none', nic: nic.name }],
      gain: estimateGain(evidence, 'steer', 'runqueue', 'dispatch', 'app_wait'),
      cost: 'the CPU that takes a packet does all the work for it',
      expense: 'low',
      risk: 'that CPU may become full',
    }
  },
}
