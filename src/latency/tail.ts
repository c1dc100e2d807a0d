import { type Counts, countRequests } from './counts.js'
import { countUpTo } from './histogram.js'
import { isInTotal, STAGE_COUNT, STAGES, type StageName } from './stages.js'

/** The percentiles from which the slowest requests are taken apart. */
export const TAIL_PERCENTILES = [50, 90, 99, 99.9] as const

/** Where the requests ranked above a percentile spent their time. */
export type TailRow = {
  fromPercentile: number
  /** How many requests the row is about. */
  requests: number
  /** Their total in nanoseconds, by a sum of its own. */
  sumNs: bigint
  /** Their mean total in nanoseconds; null when there are no requests. */
  meanNs: number | null
  /** Each stage of the total that any request of the service had; its mean is over those followed in depth. */
  stages: { name: StageName; sumNs: bigint; meanNs: number }[]
}

/**
 * The rows of the tail table, one for each of TAIL_PERCENTILES.
 *
 * A row takes the slowest requests by rank: of N those above rank floor(N·p/100), which is at least one. All buckets
 * of the total above the boundary count whole. Of the boundary bucket as many requests are taken as are missing, each
 * at the bucket's mean of each stage, rounded down to a nanosecond of the sum: the requests of one bucket differ by at
 * most 1/32 in their total. Stage means are over all requests of the row that were followed in depth, whether or not they
 * had the stage: if all were, they add up to the row's mean, but for that rounding. `ack` is not in it, for it is outside the total.
 */
export const buildTail = (counts: Counts): TailRow[] => {
  const requests = countRequests(counts)
  const present = STAGES.flatMap((name, index) =>
    isInTotal(name) && counts.stages[index]?.some(count => count > 0) ? [{ name, index }] : [],
  )

  return TAIL_PERCENTILES.map(fromPercentile => {
    const wanted = requests - countUpTo(fromPercentile, requests)
    const slowest = sumSlowest(counts, wanted)
    const stages = (slowest.deep === 0 ? [] : present).map(({ name, index }) => {
      const sumNs = slowest.stages[index] ?? 0n
      return { name, sumNs, meanNs: divide(sumNs, slowest.deep) }
    })
    const sumNs = slowest.totalNs
    return {
      fromPercentile,
      requests: wanted,
      sumNs,
      meanNs: wanted === 0 ? null : divide(sumNs, wanted),
      stages,
    }
  })
}

/**
 * Sums in nanoseconds over requests: each stage, in the order of STAGES, of those that were followed in depth, and how
 * many these are; and the totals of all.
 */
export type Sums = { stages: bigint[]; deep: number; totalNs: bigint }

/** The sums over all requests. */
export const sumAll = (counts: Counts): Sums => sumSlowest(counts, countRequests(counts))

/**
 * A sum in nanoseconds divided by a count above 0, without losing the digits of a long sum if the count is whole; it is not
 * where a part of a bucket stands for its mean.
 */
export const divide = (sumNs: bigint, count: number): number => {
  if (!Number.isInteger(count)) return Number(sumNs) / count
  const divisor = BigInt(count)
  return Number(sumNs / divisor) + Number(sumNs % divisor) / count
}

const sumSlowest = (counts: Counts, wanted: number): Sums => {
  const sums: Sums = { stages: STAGES.map(() => 0n), deep: 0, totalNs: 0n }
  let missing = wanted
  for (let bucket = counts.tailRequests.length - 1; bucket >= 0 && missing > 0; bucket--) {
    const inBucket = counts.tailRequests[bucket] ?? 0
    if (inBucket === 0) {
      continue
    }

    const taken = Math.min(inBucket, missing)
    missing -= taken
    const takePart = (ofBucket: bigint): bigint =>
      taken === inBucket ? ofBucket : (ofBucket * BigInt(taken)) / BigInt(inBucket)
    const deep = inBucket - (counts.shallowRequests[bucket] ?? 0)
    sums.deep += taken === inBucket ? deep : (deep * taken) / inBucket
    sums.totalNs += takePart(counts.totalNs[bucket] ?? 0n)
    for (const [stage, sum] of sums.stages.entries()) {
      sums.stages[stage] = sum + takePart(counts.tailStageNs[bucket * STAGE_COUNT + stage] ?? 0n)
    }
  }

  return sums
}
