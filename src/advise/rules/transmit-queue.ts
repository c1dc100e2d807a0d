import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const QUEUES = 0.1

/** Replies wait before the driver. */
export const transmitQueue: Rule = {
  name: 'transmit-queue',
  when: 'the queue before the card (qdisc) is a tenth or more of the slowest 1 %',
  knobs: ['net.xps'],
  find: evidence => {
    const share = shareOfTail(evidence, 'qdisc')
    const { nic, cpus } = evidence.machine
    if (share < QUEUES) return null
    const hasQueues = nic !== null && nic.txQueues.length > 1 && cpus.length > 1
    return {
      finding: 'replies wait in the queue before the card (qdisc)',
      evidence: [
        `${percent(share)} of the slowest 1 % is qdisc`,
        `${nic?.txQueues.length ?? 0} transmit queues`,
      ],
      settings: hasQueues ? [{ knob: 'net.xps', value: 'queue', nic: nic.name }] : [],
      gain: hasQueues ? estimateGain(evidence, 'qdisc') : null,
      cost: 'none',
      expense: 'none',
      risk: 'none; look at tc -s qdisc as well: a shaper, or a link that is full, needs no tuning',
    }
  },
}
