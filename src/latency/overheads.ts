import { type Counts, perDeepRequest } from './counts.js'
import { round, roundKnown } from './round.js'

/** One system call of the service: how often a request, and its mean time on a CPU, null when none returned. */
export type SyscallDocument = { name: string; per_request: number; mean_ns: number | null }

/** How often a request a thread of the service left its CPU: to sleep, or to make room for another. */
export type ContextSwitches = { voluntary: number; involuntary: number }

/** What the sampled numbers rest on; runs of probes that the kernel left out are missing in them. */
export type SampleDocument = { requests: number; seconds: number; recursion: number }

/**
 * The five overheads of the socket API; null where the kernel offers no way to measure it, or there was nothing to
 * measure. What each number is: docs/overheads.md.
 */
export type Overheads = {
  syscalls_per_request: number | null
  packet_ns: number | null
  same_cpu_share: number | null
  vfs_ns: number | null
  epoll_wakeups_per_request: number | null
  /** Those with the most time a request first; null without a sample. */
  syscalls: SyscallDocument[] | null
  context_switches_per_request: ContextSwitches | null
  packets_per_poll: number | null
  packets_per_interrupt: number | null
  gro_merged_share: number | null
  vfs_recv_ns: number | null
  vfs_send_ns: number | null
  events_per_wakeup: number | null
  ready_to_return_us: number | null
  sample: SampleDocument | null
  /** Why there is no sample; null where there is one. */
  reason: string | null
}

/** One system call in a sample; `cpuNs` is of those that returned. */
export type SyscallUse = { name: string; entered: number; returned: number; cpuNs: number }

/** The names of a sample's sums, those of struct overheads in bpf/overheads.h. */
export const OVERHEAD_SUMS = [
  'voluntary',
  'involuntary',
  'recv_calls',
  'recv_ns',
  'send_calls',
  'send_ns',
  'waits',
  'events',
  'woken_waits',
  'woken_ns',
  'rx_ns',
  'packets',
  'gro_packets',
  'gro_merged',
  'polls',
  'polled_packets',
  'card_packets',
  'card_interrupts',
] as const

/** What was counted in some windows of time, in which so many requests were completed. */
export type OverheadSample = Record<(typeof OVERHEAD_SUMS)[number], number> & {
  requests: number
  seconds: number
  recursion: number
  syscalls: SyscallUse[]
}

/**
 * Gives the overheads: the share of one CPU from the counts of all requests; the others from a sample, or null and why there is
 * none.
 */
export const describeOverheads = (counts: Counts, sample: OverheadSample | string): Overheads =>
  typeof sample === 'string'
    ? { ...describeSample(counts, null), reason: sample }
    : { ...describeSample(counts, sample), reason: null }

const describeSample = (counts: Counts, sample: OverheadSample | null): Omit<Overheads, 'reason'> => ({
  syscalls_per_request: sample && sumCalls(sample),
  packet_ns: sample && divide(sample.rx_ns, sample.packets),
  same_cpu_share: roundKnown(perDeepRequest(counts.sameCpu, counts)),
  vfs_ns: sample && describeVfs(sample),
  epoll_wakeups_per_request: sample && divide(sample.waits, sample.requests),
  syscalls: sample && describeSyscalls(sample),
  context_switches_per_request: sample && describeSwitches(sample),
  packets_per_poll: sample && divide(sample.polled_packets, sample.polls),
  packets_per_interrupt: sample && divide(sample.card_packets, sample.card_interrupts),
  gro_merged_share: sample && divide(sample.gro_merged, sample.gro_packets),
  vfs_recv_ns: sample && divide(sample.recv_ns, sample.recv_calls),
  vfs_send_ns: sample && divide(sample.send_ns, sample.send_calls),
  events_per_wakeup: sample && divide(sample.events, sample.waits),
  ready_to_return_us: sample && divide(sample.woken_ns / 1000, sample.woken_waits),
  sample: sample && {
    requests: sample.requests,
    seconds: round(sample.seconds),
    recursion: sample.recursion,
  },
})

const sumCalls = ({ requests, syscalls }: OverheadSample): number | null =>
  divide(
    syscalls.reduce((sum, { entered }) => sum + entered, 0),
    requests,
  )

const describeVfs = (sample: OverheadSample): number | null =>
  sample.recv_calls + sample.send_calls === 0
    ? null
    : divide(sample.recv_ns + sample.send_ns, sample.requests)

const describeSyscalls = ({ requests, syscalls }: OverheadSample): SyscallDocument[] | null =>
  requests === 0
    ? null
    : syscalls
        .toSorted((a, b) => b.cpuNs - a.cpuNs)
        .map(({ name, entered, returned, cpuNs }) => ({
          name,
          per_request: round(entered / requests),
          mean_ns: divide(cpuNs, returned),
        }))

const describeSwitches = ({ requests, voluntary, involuntary }: OverheadSample): ContextSwitches | null =>
  requests === 0
    ? null
    : { voluntary: round(voluntary / requests), involuntary: round(involuntary / requests) }

const divide = (sum: number, count: number): number | null => (count === 0 ? null : round(sum / count))
