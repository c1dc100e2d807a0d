/** What was seen of a service's requests in some seconds. Times in nanoseconds. */
export type Requests = {
  requests: number
  seconds: number
  p50: number
  p99: number
  p999: number
  mean: number
}

/** What was seen in a slice of time: of the service and of the machine. */
export type Slice = Requests & {
  /** Of all CPUs' time, the share in which they were busy. */
  busy: number
  /** Segments that TCP sent again. */
  retransmits: number
  /** What the machine took, and how hot its hottest sensor was at the end; null where nothing tells. */
  watts: number | null
  celsius: number | null
}

/** What tuning is for. */
export const GOALS = ['p99', 'p99.9', 'p50', 'throughput', 'energy'] as const
export type Goal = (typeof GOALS)[number]

/** What must not get worse for it. */
export const GUARDS = ['p50', 'mean', 'throughput', 'cpu'] as const
export type Guard = (typeof GUARDS)[number]

/** What is good enough: a percentile below a time in nanoseconds. */
export type Limit = { quantity: 'p50' | 'p99' | 'p99.9' | 'mean'; ns: number }

/**
 * How each quantity is read of a slice, so that less is better. Of energy where nothing tells watts, the time that CPUs were
 * busy stands in.
 */
export const READ: Readonly<Record<Goal | Guard | Limit['quantity'], (slice: Slice) => number>> = {
  p50: slice => slice.p50,
  p99: slice => slice.p99,
  'p99.9': slice => slice.p999,
  mean: slice => slice.mean,
  throughput: slice => slice.seconds / slice.requests,
  cpu: slice => slice.busy,
  energy: slice => slice.watts ?? slice.busy,
}

/** A slice with a setting and the one beside it without, of the same traffic. */
export type Pair = { on: Slice; off: Slice }
