/**
 * The stages of a request in the order in which a service has them; the position is the index the kernel's tables use. `peer`
 * only a client's requests have.
 */
export const STAGES = [
  'irq',
  'driver',
  'steer',
  'protocol',
  'idle_exit',
  'runqueue',
  'dispatch',
  'recv',
  'body',
  'app_cpu',
  'app_wait',
  'send',
  'qdisc',
  'ack',
  'peer',
] as const

/** The name of one stage. */
export type StageName = (typeof STAGES)[number]

/** Whose requests: those that a service answers, or those that clients here send. */
export type Role = 'server' | 'client'

/** The stages in the order in which the requests of a role pass them. */
export const STAGES_OF: Readonly<Record<Role, readonly StageName[]>> = {
  server: STAGES.filter(stage => stage !== 'peer'),
  client: [
    'send',
    'qdisc',
    'peer',
    'irq',
    'driver',
    'steer',
    'protocol',
    'idle_exit',
    'runqueue',
    'dispatch',
    'recv',
    'body',
  ],
}

/** How many stages there are, which is also the width of one row of the tail table. */
export const STAGE_COUNT = STAGES.length

/** Whether a stage is part of a request's total; `ack` is not: the total ends when the reply leaves. */
export const isInTotal = (stage: StageName): boolean => stage !== 'ack'

/** What time spent in a stage points at, as the end of a sentence for people. */
export const describeStage = (stage: StageName, role: Role): string =>
  (role === 'client' ? CLIENT_MEANINGS[stage] : undefined) ?? MEANINGS[stage]

const MEANINGS: Readonly<Record<StageName, string>> = {
  irq: 'the interrupt waited for its softirq (softirqs held up, or left to ksoftirqd)',
  driver: 'the driver polled (packets ahead of this one in the same batch)',
  steer: 'the packet moved between CPUs (GRO, RPS and its interrupt to the other CPU)',
  protocol: 'IP and TCP or UDP processing (and the backlog while the owner holds the socket)',
  idle_exit: 'an idle CPU woke up (deep C-states, a slow clock, or the hypervisor)',
  runqueue: 'the service was ready but not on a CPU (competing tasks, or softirqs on its CPU)',
  dispatch: 'the service ran but had not come to this socket (epoll, and requests ahead of it)',
  recv: 'the receive call copied (large payloads, memory that had to be found)',
  body: 'the rest of a large request was still arriving',
  app_cpu: "the service's own work, on a CPU",
  app_wait: 'the service waited inside the request (blocked, or preempted)',
  send: 'the send call (copying, TCP or UDP and IP output)',
  qdisc: 'the reply queued before the driver (shaping, or a full ring)',
  ack: 'the reply travelled to the peer and its acknowledgement back',
  peer: 'the other side had the request: the network there and back, and its own work',
}

const CLIENT_MEANINGS: Partial<Record<StageName, string>> = {
  runqueue: 'the client was ready but not on a CPU (competing tasks, or softirqs on its CPU)',
  dispatch: 'the client ran but had not come to this socket (epoll, and replies ahead of it)',
  body: 'the rest of a large reply was still arriving',
  qdisc: 'the request queued before the driver (shaping, or a full ring)',
}
