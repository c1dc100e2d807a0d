import { type BpfObject, type Program, probeAttach, probeIter } from 'libbpf-ts'
import type { Role, StageName } from '../latency/stages.js'
import type { Protocol } from '../system/sockets.js'
import type { Target } from '../system/target.js'
import type { ProbeKind } from './kernel-types.js'
import { UnsupportedError } from './unsupported.js'

/** One BPF program of taut: where it attaches, and what is lost without it. */
export type Probe = {
  /** The program's name in the object. */
  program: string
  /** The tracepoint as /sys/kernel/tracing/events has it, or the iterator. */
  point: string
  /** Without a required probe no request can be told from another. */
  required: boolean
  /** The probe in whose place it is attached, where the kernel lacks that one's point. */
  standsInFor?: string
  /** The only kind of service that needs it. */
  protocol?: Protocol
  /** Whose requests alone need it. */
  role?: Role
  /** The only kind of programs that has it. */
  kind?: ProbeKind
  /** The probe without which it is of no use. */
  beside?: string
  /** Stages that are absent without it. */
  stages: readonly StageName[]
  buys: string
  /** The first Linux that has the point, where it is a young one: told to people, never decided by. */
  since?: string
}

/** All probes, in the order in which they attach: what opens a request comes last, so that no request is half seen. */
export const PROBES: readonly Probe[] = [
  {
    program: 'sched_switch',
    point: 'sched/sched_switch',
    required: true,
    stages: ['runqueue', 'app_wait'],
    buys: 'when a thread is on a CPU',
  },
  {
    program: 'sched_waking',
    point: 'sched/sched_waking',
    role: 'server',
    required: false,
    stages: [],
    buys: 'hand-over of a request from one thread of the service to another',
  },
  {
    program: 'sched_process_fork',
    point: 'sched/sched_process_fork',
    required: false,
    stages: [],
    buys: 'threads that the service starts later, from their first moment',
  },
  {
    program: 'know_threads',
    point: 'iter/task',
    kind: 'tp_btf',
    required: false,
    stages: [],
    buys: 'the threads that the service has already',
  },
  {
    program: 'thread_ends',
    point: 'sched/sched_process_exit',
    kind: 'raw_tp',
    required: true,
    stages: [],
    buys: 'that nothing is kept of threads that have ended',
  },
  {
    program: 'recv_copies',
    point: 'skb/skb_copy_datagram_iovec',
    protocol: 'tcp',
    beside: 'send_copies',
    required: false,
    stages: ['dispatch'],
    buys: 'when recv begins to copy',
  },
  {
    program: 'recv_ends',
    point: 'sock/sock_recv_length',
    protocol: 'tcp',
    beside: 'send_copies',
    required: false,
    stages: [],
    buys: 'which pieces of a large request one call has read',
    since: '6.3',
  },
  {
    program: 'send_copies',
    point: 'tcp/tcp_sendmsg_locked',
    protocol: 'tcp',
    required: false,
    stages: ['send'],
    buys: 'when send begins to copy',
    since: '6.16',
  },
  {
    program: 'sys_enter',
    point: 'raw_syscalls/sys_enter',
    standsInFor: 'send_copies',
    required: false,
    stages: ['send'],
    buys: 'when recv and send begin on older kernels and of UDP: the entries of system calls',
  },
  {
    program: 'cpu_idle',
    point: 'power/cpu_idle',
    required: false,
    stages: ['idle_exit'],
    buys: 'when an idle CPU ran again, and how deep it had slept',
  },
  {
    program: 'irq_handler_entry',
    point: 'irq/irq_handler_entry',
    required: false,
    stages: ['irq'],
    buys: 'when a network card interrupted',
  },
  {
    program: 'softirq_entry',
    point: 'irq/softirq_entry',
    required: false,
    stages: ['driver'],
    buys: 'when the NET_RX softirq began',
  },
  {
    program: 'softirq_exit',
    point: 'irq/softirq_exit',
    required: false,
    stages: [],
    buys: 'packets that busy polling or threaded NAPI delivers, told from those of a softirq',
  },
  {
    program: 'napi_gro_receive',
    point: 'net/napi_gro_receive_entry',
    required: false,
    stages: ['steer'],
    buys: 'when a driver handed a packet to GRO, and from there to the CPU that RPS chose',
  },
  {
    program: 'napi_gro_frags',
    point: 'net/napi_gro_frags_entry',
    required: false,
    stages: ['steer'],
    buys: 'the same for drivers that hand over pages',
  },
  {
    program: 'netif_receive',
    point: 'net/netif_receive_skb_entry',
    required: false,
    stages: ['steer'],
    buys: 'the same for drivers without GRO',
  },
  {
    program: 'netif_rx',
    point: 'net/netif_rx_entry',
    required: false,
    stages: ['steer'],
    buys: 'the same for loopback, veth and drivers without NAPI; only where RPS is set',
  },
  {
    program: 'netif_receive_skb',
    point: 'net/netif_receive_skb',
    required: false,
    stages: ['driver', 'protocol'],
    buys: 'when the packet reached the stack',
  },
  {
    program: 'connection_changes',
    point: 'sock/inet_sock_set_state',
    role: 'server',
    protocol: 'tcp',
    required: true,
    stages: [],
    buys: 'requests that end with their connection, unanswered',
  },
  {
    program: 'packet_is_enqueued',
    point: 'qdisc/qdisc_enqueue',
    role: 'server',
    protocol: 'tcp',
    required: false,
    stages: ['qdisc'],
    buys: 'when a reply enters the queue of its interface',
    since: '5.15',
  },
  {
    program: 'packet_is_sent',
    point: 'net/net_dev_start_xmit',
    role: 'server',
    protocol: 'tcp',
    required: true,
    stages: ['send'],
    buys: 'when the reply is handed to the driver: the end of a request',
  },
  {
    program: 'reply_is_queued',
    point: 'sock/sock_send_length',
    role: 'server',
    protocol: 'tcp',
    required: false,
    stages: [],
    buys: 'the send call of replies that TCP holds back for a while',
    since: '6.3',
  },
  {
    program: 'payload_was_copied',
    point: 'tcp/tcp_rcv_space_adjust',
    role: 'server',
    protocol: 'tcp',
    required: true,
    stages: ['recv', 'body', 'app_cpu'],
    buys: 'when the service has read the request',
  },
  {
    program: 'payload_is_ready',
    point: 'sock/sk_data_ready',
    role: 'server',
    protocol: 'tcp',
    required: true,
    stages: ['protocol'],
    buys: 'when payload is on the socket: the begin of a request',
    since: '6.3',
  },
  {
    program: 'payload_arrives',
    point: 'tcp/tcp_probe',
    role: 'server',
    standsInFor: 'payload_is_ready',
    protocol: 'tcp',
    required: false,
    stages: ['protocol'],
    buys: 'the same on older kernels, a moment earlier',
  },
  {
    program: 'exchange_ends',
    point: 'sock/inet_sock_set_state',
    role: 'client',
    protocol: 'tcp',
    required: true,
    stages: [],
    buys: "clients' requests that end with their connection",
  },
  {
    program: 'finish_open',
    point: 'iter/bpf_sk_storage_map',
    kind: 'tp_btf',
    role: 'client',
    protocol: 'tcp',
    required: false,
    stages: [],
    buys: "clients' replies that were read last, on connections that stay open; without it clients are measured as without BTF",
  },
  {
    program: 'finish_open',
    point: 'raw_syscalls/sys_enter',
    kind: 'raw_tp',
    role: 'client',
    protocol: 'tcp',
    required: true,
    stages: [],
    buys: "clients' replies that were read last, on connections that stay open",
  },
  {
    program: 'reply_was_copied',
    point: 'tcp/tcp_rcv_space_adjust',
    role: 'client',
    protocol: 'tcp',
    required: true,
    stages: ['recv', 'body'],
    buys: 'when a client has read the reply',
  },
  {
    program: 'reply_is_ready',
    point: 'sock/sk_data_ready',
    role: 'client',
    protocol: 'tcp',
    required: true,
    stages: ['protocol'],
    buys: "when the reply is on the client's socket",
    since: '6.3',
  },
  {
    program: 'reply_arrives',
    point: 'tcp/tcp_probe',
    role: 'client',
    standsInFor: 'reply_is_ready',
    protocol: 'tcp',
    required: false,
    stages: ['protocol'],
    buys: 'the same on older kernels, a moment earlier',
  },
  {
    program: 'request_is_sent',
    point: 'net/net_dev_start_xmit',
    role: 'client',
    protocol: 'tcp',
    required: true,
    stages: ['send', 'peer'],
    buys: "when a client's request is handed to the driver",
  },
  {
    program: 'request_is_enqueued',
    point: 'qdisc/qdisc_enqueue',
    role: 'client',
    protocol: 'tcp',
    required: false,
    stages: ['qdisc'],
    buys: 'when it enters the queue of its interface',
    since: '5.15',
  },
  {
    program: 'request_is_written',
    point: 'tcp/tcp_sendmsg_locked',
    role: 'client',
    protocol: 'tcp',
    required: false,
    stages: ['send'],
    buys: 'when a client sends; on older kernels its packet and the system call tell',
    since: '6.16',
  },
  {
    program: 'datagram_is_enqueued',
    point: 'qdisc/qdisc_enqueue',
    role: 'server',
    protocol: 'udp',
    required: false,
    stages: ['qdisc'],
    buys: 'when an answer enters the queue of its interface',
    since: '5.15',
  },
  {
    program: 'datagram_is_dropped',
    point: 'skb/kfree_skb',
    role: 'server',
    protocol: 'udp',
    required: false,
    stages: [],
    buys: 'that a datagram which the kernel drops is none, and one whose answer it drops unanswered, so that the next is to the next one',
  },
  {
    program: 'datagram_is_sent',
    point: 'net/net_dev_start_xmit',
    role: 'server',
    protocol: 'udp',
    required: true,
    stages: ['send'],
    buys: 'when the answer is handed to the driver: the end of a request',
  },
  {
    program: 'datagram_is_read',
    point: 'sock/sock_recv_length',
    role: 'server',
    protocol: 'udp',
    required: true,
    stages: ['recv', 'app_cpu'],
    buys: 'when the service has read a datagram',
    since: '6.3',
  },
  {
    program: 'datagram_was_read',
    point: 'raw_syscalls/sys_exit',
    role: 'server',
    standsInFor: 'datagram_is_read',
    protocol: 'udp',
    required: false,
    stages: ['recv', 'app_cpu'],
    buys: 'the same on older kernels, at the end of the system call',
  },
  {
    program: 'datagram_is_ready',
    point: 'sock/sk_data_ready',
    role: 'server',
    protocol: 'udp',
    required: true,
    stages: ['protocol'],
    buys: 'when a datagram is on the socket: the begin of a request',
    since: '6.3',
  },
  {
    program: 'datagram_comes',
    point: 'net/netif_receive_skb',
    role: 'server',
    standsInFor: 'datagram_is_ready',
    protocol: 'udp',
    beside: 'netif_receive_skb',
    required: false,
    stages: [],
    buys: 'the same on older kernels, before IP has looked at it',
  },
]

/** Whether the kernel takes a probe, found by attaching an empty program to the same point; and if not, why. */
export type Support = { probe: Probe; reason: string | null }

/** Tries every probe that there is as a kind of program. */
export const probeSupport = (
  kind: ProbeKind,
  isWanted: (probe: Probe) => boolean = () => true,
): Support[] => {
  // Several probes share a point, and trying one takes 50 ms on a slow machine.
  const reasons = new Map<string, string | null>()
  return PROBES.filter(probe => (probe.kind ?? kind) === kind && isWanted(probe)).map(probe => {
    const { point } = probe
    if (!reasons.has(point)) reasons.set(point, findObstacle(point, kind))
    return { probe, reason: reasons.get(point) ?? null }
  })
}

/** Gives the probe that this kernel takes in another's place, null when there is none. */
export const findStandIn = ({ program }: Probe, support: readonly Support[]): Probe | null =>
  support.find(({ probe, reason }) => probe.standsInFor === program && reason === null)?.probe ?? null

/**
 * Gives a probe without which there is no measuring of services of a protocol, and which this kernel takes neither itself
 * nor a stand-in for; null when there is none.
 */
export const findMissing = (
  support: readonly Support[],
  protocol: Protocol,
  role: Role = 'server',
): Support | null =>
  support.find(
    ({ probe, reason }) =>
      probe.required && isFor(probe, protocol, role) && reason !== null && !findStandIn(probe, support),
  ) ?? null

/** Tells whether a probe is for what serves by a protocol, or for its clients. */
export const isFor = (probe: Pick<Probe, 'protocol' | 'role'>, protocol: Protocol, role: Role): boolean =>
  (probe.protocol ?? protocol) === protocol && (probe.role ?? role) === role

/**
 * Gives the object's programs of a kind that the requests of this role and protocol need and this kernel takes, without those named as of no
 * use here and stand-ins for what is there, in the order in which to attach them.
 * Throws UnsupportedError when it takes neither a required one nor its stand-in.
 */
export const choosePrograms = (
  object: BpfObject,
  kind: ProbeKind,
  { role, service: { protocol } }: Target,
  useless: readonly string[],
): Program[] => {
  const support = probeSupport(kind, probe => isFor(probe, protocol, role))
  const taken = support.filter(({ reason }) => reason === null).map(({ probe }) => probe)
  const missing = findMissing(support, protocol, role)
  if (missing !== null) {
    throw new UnsupportedError(`this kernel lacks ${describePoint(missing.probe)}: ${missing.reason}`)
  }
  const isTaken = (program: string): boolean => taken.some(other => other.program === program)
  const isNeeded = ({ program, standsInFor, beside }: Probe): boolean =>
    !useless.includes(program) &&
    (standsInFor === undefined || !isTaken(standsInFor)) &&
    (beside === undefined || isTaken(beside))
  return taken.filter(isNeeded).map(({ program }) => object.program(program))
}

/** Names a probe's point, with the first kernel that has it where it is a young one. */
export const describePoint = ({ point, since }: Probe): string =>
  since === undefined ? point : `${point} (Linux ${since} has it)`

/** Gives why this kernel does not take a program of a kind at a point, found by trying; null when it does. */
export const findObstacle = (point: string, kind: ProbeKind): string | null => {
  const [group, name = ''] = point.split('/')
  const { reason } = group === 'iter' ? probeIter(name) : probeAttach(name, kind)
  return reason ?? null
}
