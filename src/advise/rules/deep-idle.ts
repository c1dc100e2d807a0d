import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const WAKES = 0.1

/** Idle CPUs take long to wake up. */
export const deepIdle: Rule = {
  name: 'deep-idle',
  when: 'idle CPUs that wake up are a tenth or more of the slowest 1 %',
  knobs: ['cpu.idle_latency'],
  find: evidence => {
    const share = shareOfTail(evidence, 'idle_exit')
    if (share < WAKES || !evidence.machine.hasIdleStates) return null
    const states = evidence.document.idle_exits
      .filter(({ requests }) => requests > 0)
      .map(
        ({ state, requests, mean_us }) =>
          `${requests} requests woke a CPU out of state ${state}, in ${mean_us} µs`,
      )
    return {
      finding: 'idle CPUs sleep deeply, and take long to wake up',
      evidence: [`${percent(share)} of the slowest 1 % is idle_exit`, ...states],
      settings: [{ knob: 'cpu.idle_latency', value: '5' }],
      gain: estimateGain(evidence, 'idle_exit'),
      cost: 'power while idle, and heat',
      expense: 'medium',
      risk: 'a battery lasts less long',
    }
  },
}
