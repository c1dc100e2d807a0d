import { BUCKETS, bucketHigh, countValues } from './histogram.js'
import { STAGE_COUNT, STAGES } from './stages.js'

/** What could not be kept, by reason. */
export type Lost = {
  ringbuf_full: number
  map_full: number
  /** Datagrams of which it was not seen whose they are. */
  unmatched: number
  clock: number
  /** Runs of probes that the kernel left out, since the probe was running on that CPU already. */
  recursion: number
}

/** The matrix of locality covers so many CPUs, MATRIX_CPUS in bpf/request.h. */
export const MATRIX_CPUS = 64
/** cpuidle has so many states at most, IDLE_STATES in bpf/request.h. */
export const IDLE_STATES = 10

/** One reading of the kernel's metrics of a service, merged over CPUs: cumulative, or the difference of two readings. */
export type Counts = {
  /** Requests whose first payload arrived. */
  begun: number
  /** Requests whose connection closed before a reply. */
  unanswered: number
  /** Complete requests for which more arrived before the reply. */
  pipelined: number
  /** Complete requests whose reply left in a call that nobody saw: their `app_cpu` reaches to the departure. */
  unsplit: number
  /** Complete requests that io_uring's threads in the kernel read and sent: their `app_cpu` is `app_wait` as well. */
  undivided: number
  /** Requests that waited for the service to let go of their socket, nobody knows how long: they begin behind that. */
  begunLate: number
  /** Complete requests whose packet and service ran on the same CPU. */
  sameCpu: number
  /** Complete requests by the CPU of their softirq and the CPU that read them: `from * MATRIX_CPUS + to`. */
  locality: Float64Array
  /** Of these, those whose driver handed them over on another CPU than their softirq's: `driver * MATRIX_CPUS + softirq`. */
  steering: Float64Array
  /** Complete requests that had an `idle_exit`, and its nanoseconds, by cpuidle's number of the state. */
  idleExits: Float64Array
  idleExitNs: BigUint64Array
  lost: Lost
  /** The slowest total, in nanoseconds; 0 when there was none. */
  maxNs: bigint
  /** A histogram for each stage, in the order of STAGES, of the requests that had it. */
  stages: Float64Array[]
  /** Complete requests by bucket of their total: the histogram of the total. */
  tailRequests: Float64Array
  /** Of these, the requests that were not followed in depth. */
  shallowRequests: Float64Array
  /** The sum of the totals of all of them in nanoseconds, which the kernel adds up beside the stages. */
  totalNs: BigUint64Array
  /** The sum of each stage in nanoseconds by bucket of the total: `bucket * STAGE_COUNT + stage`. */
  tailStageNs: BigUint64Array
}

/** Counts of nothing. */
export const emptyCounts = (): Counts => ({
  begun: 0,
  unanswered: 0,
  pipelined: 0,
  unsplit: 0,
  undivided: 0,
  begunLate: 0,
  sameCpu: 0,
  locality: new Float64Array(MATRIX_CPUS ** 2),
  steering: new Float64Array(MATRIX_CPUS ** 2),
  idleExits: new Float64Array(IDLE_STATES),
  idleExitNs: new BigUint64Array(IDLE_STATES),
  lost: { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 },
  maxNs: 0n,
  stages: STAGES.map(() => new Float64Array(BUCKETS)),
  tailRequests: new Float64Array(BUCKETS),
  shallowRequests: new Float64Array(BUCKETS),
  totalNs: new BigUint64Array(BUCKETS),
  tailStageNs: new BigUint64Array(BUCKETS * STAGE_COUNT),
})

const SCALARS = ['begun', 'unanswered', 'pipelined', 'unsplit', 'undivided', 'begunLate', 'sameCpu'] as const
const HISTOGRAMS = ['tailRequests', 'shallowRequests', 'locality', 'steering', 'idleExits'] as const
const SUMS = ['tailStageNs', 'totalNs', 'idleExitNs'] as const
const LOSSES = ['ringbuf_full', 'map_full', 'unmatched', 'clock', 'recursion'] as const

/**
 * What happened between two cumulative readings of the same service.
 *
 * The kernel keeps only the maximum since it started, so the interval's `maxNs` is derived: the highest time of its
 * slowest bucket, or the cumulative maximum where that is lower. It is exact when the cumulative maximum rose in the
 * interval, and at most 1/32 too high otherwise. Throws RangeError when a count went backwards, because then the
 * readings are not of the same service in this order.
 */
export const subtractCounts = (later: Counts, earlier: Counts): Counts => {
  const interval = emptyCounts()
  for (const name of SCALARS) {
    interval[name] = subtract(later[name], earlier[name], name)
  }

  for (const reason of LOSSES) {
    interval.lost[reason] = subtract(later.lost[reason], earlier.lost[reason], reason)
  }

  for (const [stage, histogram] of interval.stages.entries()) {
    subtractHistogram(histogram, histogramOf(later, stage), histogramOf(earlier, stage))
  }

  for (const name of HISTOGRAMS) subtractHistogram(interval[name], later[name], earlier[name])
  for (const name of SUMS) subtractSums(interval[name], later[name], earlier[name])
  interval.maxNs = maxOfInterval(interval.tailRequests, later.maxNs)
  return interval
}

/** How many complete requests the counts hold. */
export const countRequests = (counts: Counts): number => countValues(counts.tailRequests)

/** How many of them were followed in depth: those whose stages are known. */
export const countDeep = (counts: Counts): number =>
  countRequests(counts) - countValues(counts.shallowRequests)

/** A count or a sum for each request that was followed in depth; null when there were none. */
export const perDeepRequest = (count: number, counts: Counts): number | null => {
  const requests = countDeep(counts)
  return requests === 0 ? null : count / requests
}

/**
 * How many requests are begun and neither replied to, nor closed, nor lost to the clock. Takes cumulative counts: an
 * interval's would leave out what was begun before it. Never negative, although the kernel's counters are read one by
 * one while requests go on.
 */
export const countInFlight = (counts: Counts): number =>
  Math.max(0, counts.begun - countRequests(counts) - counts.unanswered - counts.lost.clock)

const subtractHistogram = (into: Float64Array, later: Float64Array, earlier: Float64Array): void => {
  // Indexed loops, here and for the tail table: they run at every refresh, and iterators take ten times as long.
  for (let bucket = 0; bucket < into.length; bucket++) {
    into[bucket] = subtract(later[bucket] ?? 0, earlier[bucket] ?? 0, 'a bucket')
  }
}

const subtractSums = (into: BigUint64Array, later: BigUint64Array, earlier: BigUint64Array): void => {
  for (let cell = 0; cell < into.length; cell++) {
    const ns = later[cell] ?? 0n
    const before = earlier[cell] ?? 0n
    if (before > ns) {
      throw new RangeError(`earlier is not an earlier reading: a sum went from ${before} to ${ns} ns`)
    }

    if (before < ns) into[cell] = ns - before
  }
}

const subtract = (later: number, earlier: number, what: string): number => {
  if (earlier > later) {
    throw new RangeError(`earlier is not an earlier reading: ${what} went from ${earlier} to ${later}`)
  }

  return later - earlier
}

const maxOfInterval = (totals: Float64Array, cumulativeMax: bigint): bigint => {
  const slowest = totals.findLastIndex(requests => requests > 0)
  if (slowest === -1) {
    return 0n
  }

  // The last bucket has no upper end.
  const high = slowest === BUCKETS - 1 ? cumulativeMax : BigInt(bucketHigh(slowest))
  return high < cumulativeMax ? high : cumulativeMax
}

const histogramOf = (counts: Counts, stage: number): Float64Array => {
  const histogram = counts.stages[stage]
  if (histogram === undefined) {
    throw new RangeError(`counts must have ${STAGE_COUNT} stages, not ${counts.stages.length}`)
  }

  return histogram
}
