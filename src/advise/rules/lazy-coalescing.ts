import type { Evidence } from '../evidence.js'
import type { Gain } from '../gain.js'
import type { Rule } from '../rule.js'

const LAZY_US = 20

/** The card holds packets back before it interrupts; no stage has that time, for nobody here saw the packets yet. */
export const lazyCoalescing: Rule = {
  name: 'lazy-coalescing',
  when: `the card may wait for more than ${LAZY_US} µs before it interrupts (rx-usecs)`,
  knobs: ['nic.coalesce'],
  find: evidence => {
    const { nic, rxUsecs, isRxAdaptive } = evidence.machine
    if (nic === null || rxUsecs === null || rxUsecs <= LAZY_US) return null
    return {
      finding: `${nic.name} waits up to ${rxUsecs} µs with its interrupt`,
      evidence: [
        `rx-usecs is ${rxUsecs}${isRxAdaptive ? ', and the driver changes it by itself (adaptive-rx)' : ''}`,
        'clients see that time, and no stage here does',
      ],
      settings: [
        {
          knob: 'nic.coalesce',
          // Of a card that counts packets as well, the first one is to interrupt.
          value: `${isRxAdaptive ? 'adaptive-rx=off,' : ''}rx-frames=1,rx-usecs=0`,
          nic: nic.name,
        },
      ],
      gain: estimateForClients(evidence, rxUsecs),
      cost: 'more interrupts',
      expense: 'medium',
      risk: 'an interrupt for every packet under load',
    }
  },
}

const estimateForClients = ({ document: { total } }: Evidence, us: number): Gain | null => {
  if (total.p50_us === null || total.p99_us === null) return null
  return {
    p50: us / (total.p50_us + us),
    p99: us / (total.p99_us + us),
    how: `of what clients see, as if each request had waited for ${us} µs in the card before it was seen here, and no longer did`,
  }
}
