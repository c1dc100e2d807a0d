import { sameCpuShare, shareOfTail } from '../evidence.js'
import { percent, type Rule } from '../rule.js'

const NETWORK = 0.3
const AWAY = 0.3

/** The device of the requests is in another network namespace: what can be set of it is out of reach from here. */
export const otherNamespace: Rule = {
  name: 'other-namespace',
  when: "the service is in another network namespace than taut, and the way to its sockets takes three tenths of the slowest 1 %, or ends on another CPU than the service's",
  knobs: [],
  find: evidence => {
    const { foreignNic } = evidence.machine
    const share = shareOfTail(evidence, 'irq', 'driver', 'steer', 'protocol', 'qdisc')
    const away = 1 - (sameCpuShare(evidence) ?? 1)
    if (foreignNic === null || (share < NETWORK && away < AWAY)) return null
    return {
      finding: `the service's network device ${foreignNic} is in another network namespace: its settings can't be looked at or changed from here`,
      evidence: [
        `${percent(share)} of the slowest 1 % is the way of packets (irq, driver, steer, protocol, qdisc)`,
        `${percent(away)} of the requests are read on another CPU than that of their softirq`,
      ],
      settings: [],
      gain: null,
      cost: 'none',
      expense: 'none',
      risk: 'none: run taut in that namespace (ip netns exec NAME taut advise)',
    }
  },
}
