import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { bucketHigh, bucketLow, countValues, histogramBetween } from '../latency/histogram.js'
import { type CpuTimes, readCpuTimes } from '../system/cpu-times.js'
import { countWakeups, readMeanMhz } from '../system/idle.js'
import { awakeBetween, meanMhzBetween, type Rest, readRest } from './awake.js'
import { type Meters, readSource, wattsBetween } from './meters.js'
import type { Retransmits } from './retransmits.js'
import type { Requests, Slice, SoFar } from './slice.js'

const STEP_MS = 50

/**
 * What tells of the service's requests: the cumulative histograms of their totals and of the time until their replies were
 * acknowledged, how many ended without a reply, and how many events are missing in all that.
 */
export type Totals = {
  readTotals: () => Float64Array
  readAcks: () => Float64Array
  countUnanswered: () => number
  countLost: () => number
}

type Reading = {
  ms: number
  totals: Float64Array
  acks: Float64Array
  cpus: CpuTimes[]
  retransmits: number
  unanswered: number
  lost: number
  wakeups: number | null
  rest: Rest
  energy: number[] | null
}

/**
 * Looks at a service's traffic for so many milliseconds, or until `isEnough`, which is asked about the requests so far now and
 * then, and once more at the end. Throws the signal's reason when it is aborted. `retransmits` is of the service's network namespace.
 */
export const measureSlice = async (
  totals: Totals,
  meters: Meters,
  retransmits: Retransmits,
  ms: number,
  signal: AbortSignal,
  isEnough?: (soFar: SoFar) => boolean,
): Promise<Slice> => {
  const read = (): Reading => ({
    ms: performance.now(),
    totals: totals.readTotals(),
    acks: totals.readAcks(),
    cpus: readCpuTimes(),
    retransmits: retransmits.read(),
    unanswered: totals.countUnanswered(),
    lost: totals.countLost(),
    wakeups: countWakeups(),
    rest: readRest(),
    energy: meters.energy === null ? null : readSource(meters.energy),
  })
  const begin = read()
  for (;;) {
    const left = begin.ms + ms - performance.now()
    const step = isEnough === undefined ? left : Math.min(STEP_MS, left)
    await setTimeout(Math.max(0, step), undefined, { signal })
    if (performance.now() - begin.ms >= ms) break
    if (isEnough?.(describeSoFar(begin, { ms: performance.now(), totals: totals.readTotals() }))) break
  }
  const end = read()
  isEnough?.(describeSoFar(begin, end))
  const seconds = (end.ms - begin.ms) / 1000
  const busy = busyBetween(begin.cpus, end.cpus)
  const mhz = meanMhzBetween(begin.rest, end.rest)
  return {
    ...describeRequests(begin, end),
    ack: quantileOf(histogramBetween(begin.acks, end.acks), 50),
    busy,
    retransmits: end.retransmits - begin.retransmits,
    unanswered: end.unanswered - begin.unanswered,
    lost: end.lost - begin.lost,
    awake: awakeBetween(begin.rest, end.rest, busy),
    watts:
      meters.energy === null || begin.energy === null || end.energy === null
        ? null
        : wattsBetween(meters.energy, begin.energy, end.energy, seconds),
    ...readHeat(meters),
    wakeups: begin.wakeups === null || end.wakeups === null ? null : (end.wakeups - begin.wakeups) / seconds,
    mhz: mhz ?? readMeanMhz(),
  }
}

/**
 * Within its bucket as far as its rank is within the bucket's requests: by the bucket alone, percentiles of a steady service
 * would be the same in most slices, and the few that are not would leave intervals of ratios without an end.
 */
export const quantileOf = (histogram: Float64Array, percentile: number): number => {
  const rank = (countValues(histogram) * percentile) / 100
  let before = 0
  for (const [bucket, count] of histogram.entries()) {
    if (count > 0 && before + count >= rank)
      return bucketLow(bucket) + ((bucketHigh(bucket) - bucketLow(bucket)) * (rank - before)) / count
    before += count
  }
  return Number.NaN
}

const describeRequests = (
  begin: Pick<Reading, 'ms' | 'totals'>,
  end: Pick<Reading, 'ms' | 'totals'>,
): Requests => {
  const histogram = histogramBetween(begin.totals, end.totals)
  const requests = countValues(histogram)
  const at = (percentile: number): number => quantileOf(histogram, percentile)
  return {
    requests,
    seconds: (end.ms - begin.ms) / 1000,
    p50: at(50),
    p99: at(99),
    p999: at(99.9),
    mean: sumOf(histogram) / requests,
  }
}

const describeSoFar = (begin: Pick<Reading, 'ms' | 'totals'>, end: Pick<Reading, 'ms' | 'totals'>): SoFar => {
  const histogram = histogramBetween(begin.totals, end.totals)
  return {
    ...describeRequests(begin, end),
    countSlower: ns =>
      histogram.reduce((sum, count, bucket) => (count > 0 && bucketLow(bucket) > ns ? sum + count : sum), 0),
  }
}

/** Each at the middle of its bucket: within 1/64 of its time. */
const sumOf = (histogram: Float64Array): number =>
  histogram.reduce(
    (sum, count, bucket) =>
      count === 0 ? sum : sum + (count * (bucketLow(bucket) + bucketHigh(bucket))) / 2,
    0,
  )

/** Of all CPUs together: the kernel counts in ticks of 10 ms, of which a slice has few. */
const busyBetween = (before: readonly CpuTimes[], after: readonly CpuTimes[]): number => {
  const sum = (times: readonly CpuTimes[], name: 'busy' | 'idle'): number =>
    times.reduce((all, each) => all + each[name], 0)
  const busy = sum(after, 'busy') - sum(before, 'busy')
  const idle = sum(after, 'idle') - sum(before, 'idle')
  // Never 0: a ratio to it would be none.
  return Math.max(busy, 1) / Math.max(busy + idle, 1)
}

const readHeat = ({ thermometers }: Meters): Pick<Slice, 'celsius' | 'headroom'> => {
  const now = thermometers.flatMap(({ read, limit }) => {
    const celsius = read()
    return celsius === null ? [] : { celsius, left: limit === null ? null : limit - celsius }
  })
  const left = now.flatMap(each => each.left ?? [])
  return {
    celsius: now.length === 0 ? null : Math.max(...now.map(({ celsius }) => celsius)),
    headroom: left.length === 0 ? null : Math.min(...left),
  }
}
