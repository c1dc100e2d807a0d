import { shareOfTail } from '../evidence.js'
import { estimateGain } from '../gain.js'
import { percent, type Rule } from '../rule.js'

const FAULTS_A_SECOND = 10
const WAITS = 0.2

/** Memory is moved about, or cleared in large pieces, to make huge pages while requests wait. */
export const hugePages: Rule = {
  name: 'huge-pages',
  when: 'memory was compacted for somebody who waited, or huge pages are given out all the time and the service takes the time; and they are not off',
  knobs: ['vm.thp'],
  find: evidence => {
    const { compactions, hugeFaults, hugePages } = evidence.machine
    const { seconds } = evidence.document
    if (hugePages === null || hugePages === 'never') return null
    const share = shareOfTail(evidence, 'app_cpu', 'app_wait', 'recv', 'send')
    const isGivingOut = seconds > 0 && hugeFaults / seconds >= FAULTS_A_SECOND && share >= WAITS
    if (compactions === 0 && !isGivingOut) return null
    return {
      finding:
        compactions > 0
          ? 'memory is compacted for huge pages while somebody waits for it'
          : 'huge pages are cleared and given out while somebody waits for them',
      evidence: [
        `${compactions} compactions and ${hugeFaults} huge pages given out meanwhile (compact_stall and thp_fault_alloc of /proc/vmstat), transparent huge pages are ${hugePages}`,
        `${percent(share)} of the slowest 1 % is in the service or its calls`,
      ],
      settings: [{ knob: 'vm.thp', value: 'never' }],
      gain: estimateGain(evidence, 'app_cpu', 'app_wait', 'recv', 'send'),
      cost: 'more misses of the TLB, for services with much memory',
      expense: 'low',
      risk: 'none for latency',
    }
  },
}
