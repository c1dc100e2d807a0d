import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { bucketHigh, bucketLow, countValues, findQuantile } from '../latency/histogram.js'
import { type CpuTimes, readCpuTimes } from '../system/cpu-times.js'
import { readText } from '../system/files.js'
import type { Slice } from './slice.js'

const STEP_MS = 50

/** What tells of the service's requests: the cumulative histogram of their totals. */
export type Totals = { readTotals: () => Float64Array }

type Reading = { ms: number; totals: Float64Array; cpus: CpuTimes[]; retransmits: number }

/**
 * Looks at a service's traffic for so many milliseconds, or until `isEnough` of what was seen so far. Throws the signal's
 * reason when it is aborted. `pid` is a process in the service's network namespace.
 */
export const measureSlice = async (
  totals: Totals,
  pid: number,
  ms: number,
  signal: AbortSignal,
  isEnough: (soFar: Slice) => boolean = () => false,
): Promise<Slice> => {
  const begin = read(totals, pid)
  for (;;) {
    const left = begin.ms + ms - performance.now()
    await setTimeout(Math.max(0, Math.min(STEP_MS, left)), undefined, { signal })
    const slice = describe(begin, read(totals, pid))
    if (performance.now() - begin.ms >= ms || (slice.requests > 0 && isEnough(slice))) return slice
  }
}

const read = (totals: Totals, pid: number): Reading => ({
  ms: performance.now(),
  totals: totals.readTotals(),
  cpus: readCpuTimes(),
  retransmits: readRetransmits(pid),
})

const describe = (begin: Reading, end: Reading): Slice => {
  const histogram = end.totals.map((count, bucket) => count - (begin.totals[bucket] ?? 0))
  const requests = countValues(histogram)
  const at = (percentile: number): number =>
    findQuantile(histogram, percentile, Number.MAX_SAFE_INTEGER) ?? Number.NaN
  return {
    requests,
    seconds: (end.ms - begin.ms) / 1000,
    p50: at(50),
    p99: at(99),
    p999: at(99.9),
    mean: sumOf(histogram) / requests,
    busy: busyBetween(begin.cpus, end.cpus),
    retransmits: end.retransmits - begin.retransmits,
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

/** Of the service's network namespace: RetransSegs of RFC 4022. */
const readRetransmits = (pid: number): number => {
  const [names = '', values = ''] = (readText(`/proc/${pid}/net/snmp`) ?? '')
    .split('\n')
    .filter(line => line.startsWith('Tcp:'))
  return Number(values.split(' ')[names.split(' ').indexOf('RetransSegs')] ?? 0) || 0
}
