/** What was seen of a service's requests in some seconds. Times in nanoseconds; NaN where there were no requests. */
export type Requests = {
  requests: number
  seconds: number
  p50: number
  p99: number
  p999: number
  mean: number
}

/** The same of a slice that may not be over; with how many of the requests took longer than so many nanoseconds, at least. */
export type SoFar = Requests & { countSlower: (ns: number) => number }

/** Of fewer requests the slowest 1 % are an accident, or nothing. */
export const REQUESTS_TO_TELL = 100

/** What was seen in a slice of time: of the service and of the machine. */
export type Slice = Requests & {
  /** The median time until a reply was acknowledged; NaN where none was seen. */
  ack: number
  /** Of all CPUs' time, the share in which they were busy. */
  busy: number
  /** Segments that TCP sent again. */
  retransmits: number
  /** Requests whose connection was closed before a reply. */
  unanswered: number
  /** Events that are missing in the counts: about as many requests may be. */
  lost: number
  /** How awake the CPUs were, in place of watts: see system/idle.ts; null where the kernel does not tell. */
  awake: number | null
  /** What the machine took; how hot its hottest sensor was at the end, and how far the nearest is from its limit; null where nothing tells. */
  watts: number | null
  celsius: number | null
  headroom: number | null
  /** Times a second that a CPU went to sleep, and the CPUs' mean frequency; null where the kernel does not tell. */
  wakeups: number | null
  mhz: number | null
}

/** What tuning is for. */
export const GOALS = ['p99', 'p99.9', 'p50', 'throughput', 'energy'] as const
export type Goal = (typeof GOALS)[number]

/** What must not get worse for it. */
export const GUARDS = ['p50', 'p99', 'mean', 'throughput', 'cpu', 'energy'] as const
export type Guard = (typeof GUARDS)[number]

/** Gives the sums of a count over the slices of pairs, on each side. */
export const sumSides = (
  pairs: readonly Pair[],
  read: (slice: Slice) => number,
): { on: number; off: number } => ({
  on: pairs.reduce((sum, { on }) => sum + read(on), 0),
  off: pairs.reduce((sum, { off }) => sum + read(off), 0),
})

/** What is good enough: a percentile below a time in nanoseconds. */
export type Limit = { quantity: 'p50' | 'p99' | 'p99.9' | 'mean'; ns: number }

/**
 * What a trial goes by: the goal, and whether the time of acknowledgements is added to times. A card that holds packets back before
 * it interrupts does so in no stage, but acknowledgements wait there as requests do.
 */
export type Aim = { goal: Goal; withAck: boolean }

/** Whether that time is added to what is the goal: throughput and energy are no times to add one to. */
export const addsAck = ({ goal, withAck }: Aim): boolean =>
  withAck && goal !== 'throughput' && goal !== 'energy'

/** A slice with a setting and the one beside it without, of the same traffic. */
export type Pair = { on: Slice; off: Slice }

/** How each quantity is read of a slice, so that less is better. */
export const READ: Readonly<
  Record<Exclude<Goal | Guard, 'energy'> | Limit['quantity'], (slice: Slice) => number>
> = {
  p50: slice => slice.p50,
  p99: slice => slice.p99,
  'p99.9': slice => slice.p999,
  mean: slice => slice.mean,
  throughput: slice => slice.seconds / slice.requests,
  cpu: slice => slice.busy,
}

/** What energy is told by: watts, or what stands in for them: how awake the CPUs were, or how busy. */
export type EnergyBy = 'watts' | 'awake' | 'busy'

/** A meter that told nothing new in a slice tells 0: there is no ratio to that. */
const isRatioable = (value: number | null): boolean => value !== null && value > 0

/** Gives by what of these pairs' slices energy is told: what all of them have, for no two kinds go into one ratio. */
export const energyOf = (pairs: readonly Pair[]): EnergyBy => {
  const haveAll = (name: 'watts' | 'awake'): boolean =>
    pairs.length > 0 && pairs.every(({ on, off }) => isRatioable(on[name]) && isRatioable(off[name]))
  if (haveAll('watts')) return 'watts'
  return haveAll('awake') ? 'awake' : 'busy'
}

/** Gives how a goal or guard is read of these pairs' slices. */
export const readerOf = (
  quantity: Goal | Guard | Limit['quantity'],
  pairs: readonly Pair[],
): ((slice: Slice) => number) => {
  if (quantity !== 'energy') return READ[quantity]
  const by = energyOf(pairs)
  return slice => slice[by] ?? Number.NaN
}
