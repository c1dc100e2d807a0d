import { shareOfTail } from '../evidence.js'
import { percent, type Rule } from '../rule.js'

/** Memory is moved about to make huge pages while requests wait. */
export const hugePages: Rule = {
  name: 'huge-pages',
  find: evidence => {
    const { compactions, hugePages } = evidence.machine
    if (compactions === 0 || hugePages === null || hugePages === 'never') return null
    return {
      finding: 'memory is compacted for huge pages while somebody waits for it',
      evidence: [
        `${compactions} times meanwhile (compact_stall of /proc/vmstat), transparent huge pages are ${hugePages}`,
        `${percent(shareOfTail(evidence, 'app_cpu', 'app_wait', 'recv', 'send'))} of the slowest 1 % is in the service or its calls`,
      ],
      settings: [{ knob: 'vm.thp', value: 'never' }],
      gain: null,
      cost: 'more misses of the TLB, for services with much memory',
      risk: 'none for latency',
    }
  },
}
