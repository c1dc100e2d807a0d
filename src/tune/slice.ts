/** What was seen in a slice of time: of the service and of the machine. Times in nanoseconds. */
export type Slice = {
  requests: number
  seconds: number
  p50: number
  p99: number
  p999: number
  mean: number
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

/** Gives what of a slice is to become small. Of energy where nothing tells watts, the time that CPUs were busy stands in. */
export const goalOf = (slice: Slice, goal: Goal): number => {
  switch (goal) {
    case 'p99':
      return slice.p99
    case 'p99.9':
      return slice.p999
    case 'p50':
      return slice.p50
    case 'throughput':
      return slice.seconds / slice.requests
    case 'energy':
      return slice.watts ?? slice.busy
  }
}

/** What is good enough: a percentile below a time in nanoseconds. */
export type Limit = { quantity: 'p50' | 'p99' | 'p99.9' | 'mean'; ns: number }

/** Gives what of a slice a limit is for. */
export const limitedOf = (slice: Slice, { quantity }: Limit): number =>
  quantity === 'p99.9' ? slice.p999 : slice[quantity]

/** A slice with a setting and the one beside it without, of the same traffic. */
export type Pair = { on: Slice; off: Slice }
