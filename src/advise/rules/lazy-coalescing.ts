import type { Rule } from '../rule.js'

const LAZY_US = 20

/** The card holds packets back before it interrupts; no stage has that time, for nobody here saw the packets yet. */
export const lazyCoalescing: Rule = {
  name: 'lazy-coalescing',
  find: ({ machine }) => {
    if (machine.nic === null || machine.rxUsecs === null || machine.rxUsecs <= LAZY_US) return null
    return {
      finding: `${machine.nic.name} waits up to ${machine.rxUsecs} µs with its interrupt`,
      evidence: [`rx-usecs is ${machine.rxUsecs}`, 'clients see that time, and no stage here does'],
      settings: [{ knob: 'nic.coalesce', value: 'rx-usecs=0', nic: machine.nic.name }],
      gain: null,
      cost: 'more interrupts',
      risk: 'an interrupt for every packet under load',
    }
  },
}
