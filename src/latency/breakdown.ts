import { type Counts, countRequests } from './counts.js'
import { countValues, findQuantile } from './histogram.js'
import { isInTotal, STAGES, type StageName } from './stages.js'
import { buildTail, divide, sumAll, type TailRow } from './tail.js'

/** The distribution of the total in nanoseconds; every number is null when there were no requests. */
export type TotalTimes = {
  mean: number | null
  p50: number | null
  p90: number | null
  p99: number | null
  p999: number | null
  max: number | null
}

/** The distribution of one stage in nanoseconds, over the requests that had it. */
export type StageTimes = {
  name: StageName
  requests: number
  mean: number
  p50: number
  p99: number
}

/** Where the time of the requests went. */
export type Breakdown = {
  requests: number
  /** Of these, followed in depth: those whose stages are known. */
  deep: number
  total: TotalTimes
  /** The stages that any request had, in order; an absent stage is left out. */
  stages: StageTimes[]
  tail: TailRow[]
}

/**
 * Computes where the time of the requests went: exact means, quantiles by nearest rank within 1/64.
 *
 * The total's mean is over all requests, by a sum of its own; if all were followed in depth, the means of all stages but
 * `ack`, weighted by their requests, add up to it. Without requests the numbers of the total are null, and the stages are empty.
 */
export const breakdown = (counts: Counts): Breakdown => {
  const requests = countRequests(counts)
  const { stages: sums, deep, totalNs } = sumAll(counts)
  const maxNs = Number(counts.maxNs)
  return {
    requests,
    deep,
    total: {
      mean: requests === 0 ? null : divide(totalNs, requests),
      p50: findQuantile(counts.tailRequests, 50, maxNs),
      p90: findQuantile(counts.tailRequests, 90, maxNs),
      p99: findQuantile(counts.tailRequests, 99, maxNs),
      p999: findQuantile(counts.tailRequests, 99.9, maxNs),
      max: requests === 0 ? null : maxNs,
    },
    stages: STAGES.flatMap((name, index) => describeStage(name, counts.stages[index], sums[index], maxNs)),
    tail: buildTail(counts),
  }
}

const describeStage = (
  name: StageName,
  histogram: Float64Array | undefined,
  sumNs: bigint | undefined,
  maxNs: number,
): StageTimes[] => {
  if (histogram === undefined || sumNs === undefined) {
    return []
  }

  // No stage of a total is longer than the slowest total; the acknowledgement can be.
  const limit = isInTotal(name) ? maxNs : Number.POSITIVE_INFINITY
  const p50 = findQuantile(histogram, 50, limit)
  const p99 = findQuantile(histogram, 99, limit)
  if (p50 === null || p99 === null) {
    return []
  }

  const requests = countValues(histogram)
  return [{ name, requests, mean: divide(sumNs, requests), p50, p99 }]
}
