import type { Overheads, SyscallDocument } from '../latency/overheads.js'
import { printable } from '../text/printable.js'
import { formatCount, formatDuration, formatShare } from '../text/units.js'
import { alignLeft, wrap } from '../text/width.js'

const LABEL = 15
const MOST_SYSCALLS = 4

/**
 * The five overheads of the socket API for people, a line or more each, with what could be measured of them; when nothing was
 * sampled, why. No lines when there were no requests in the sample.
 */
export const formatOverheads = (overheads: Overheads, width: number): string[] => {
  const { sample, reason } = overheads
  if (reason !== null) return wrap(`The socket API: not sampled, ${printable(reason)}.`, width)
  if (sample === null || sample.requests === 0) return []
  const heading = `The socket API, a request (a sample of ${formatCount(sample.requests)}):`
  const lines = [
    ['system calls', describeSyscalls(overheads)],
    ['packets', describePackets(overheads)],
    ['locality', describeLocality(overheads)],
    ['VFS', describeVfs(overheads)],
    ['multiplexing', describeMultiplexing(overheads)],
  ] as const
  const text = lines.flatMap(([label, parts]) => {
    const known = parts.filter(part => part !== null)
    return known.length === 0 ? [] : indent(label, wrap(known.join(', '), width - LABEL))
  })
  return [...wrap(heading, width), ...text]
}

const indent = (label: string, lines: string[]): string[] =>
  lines.map((line, index) => `${alignLeft(index === 0 ? `  ${label}` : '', LABEL)}${line}`)

type Parts = (string | null)[]

const describeSyscalls = ({
  syscalls_per_request,
  syscalls,
  context_switches_per_request: switches,
}: Overheads): Parts => {
  if (syscalls_per_request === null) return []
  const named = (syscalls ?? [])
    .filter(({ per_request }) => per_request >= 0.01)
    .slice(0, MOST_SYSCALLS)
    .map(formatSyscall)
  return [
    formatRate(syscalls_per_request),
    ...named,
    switches && `${formatRate(switches.voluntary)} sleeps`,
    switches && `${formatRate(switches.involuntary)} preemptions`,
  ]
}

const formatSyscall = ({ name, per_request, mean_ns }: SyscallDocument): string =>
  `${printable(name)} ${formatRate(per_request)}${mean_ns === null ? '' : ` × ${formatDuration(mean_ns / 1000)}`}`

const describePackets = ({
  packet_ns,
  packets_per_poll,
  packets_per_interrupt,
  gro_merged_share,
}: Overheads): Parts => [
  packet_ns === null ? null : `${formatDuration(packet_ns / 1000)} of softirq each`,
  packets_per_poll === null ? null : `${formatRate(packets_per_poll)} a poll`,
  packets_per_interrupt === null ? null : `${formatRate(packets_per_interrupt)} an interrupt`,
  gro_merged_share === null ? null : `${formatShare(gro_merged_share)} merged by GRO`,
]

const describeLocality = ({ same_cpu_share }: Overheads): Parts => [
  same_cpu_share === null ? null : `${formatShare(same_cpu_share)} with softirq, recv and send on one CPU`,
]

const describeVfs = ({ vfs_recv_ns, vfs_send_ns }: Overheads): Parts => [
  vfs_recv_ns === null ? null : `${formatDuration(vfs_recv_ns / 1000)} until recv copies`,
  vfs_send_ns === null ? null : `${formatDuration(vfs_send_ns / 1000)} until send does`,
]

const describeMultiplexing = ({
  epoll_wakeups_per_request,
  events_per_wakeup,
  ready_to_return_us,
}: Overheads): Parts =>
  epoll_wakeups_per_request === null || epoll_wakeups_per_request === 0
    ? []
    : [
        `${formatRate(epoll_wakeups_per_request)} waits`,
        events_per_wakeup === null ? null : `${formatRate(events_per_wakeup)} events each`,
        ready_to_return_us === null ? null : `${formatDuration(ready_to_return_us)} from ready to returned`,
      ]

const formatRate = (count: number): string => count.toFixed(count < 0.1 ? 2 : 1)
