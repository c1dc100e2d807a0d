import { percent, type Rule } from '../rule.js'

const STOLEN = 0.02

/** The hypervisor gives the CPUs to others. */
export const steal: Rule = {
  name: 'steal',
  when: "the hypervisor took a fiftieth or more of the CPUs' time",
  knobs: [],
  find: ({ machine }) => {
    const share = machine.cpus.reduce((sum, cpu) => sum + cpu.steal, 0) / Math.max(1, machine.cpus.length)
    if (share < STOLEN) return null
    return {
      finding: "the hypervisor gives this machine's CPUs to others: no setting in here can help",
      evidence: [`${percent(share)} of the CPUs' time was stolen`],
      settings: [],
      gain: null,
      cost: 'none',
      expense: 'none',
      risk: 'none: ask for dedicated CPUs',
    }
  },
}
