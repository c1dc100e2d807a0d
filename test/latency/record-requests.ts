import fc from 'fast-check'
import { type Counts, emptyCounts } from '../../src/latency/counts.js'
import { bucketIndex } from '../../src/latency/histogram.js'
import { STAGE_COUNT, STAGES, type StageName } from '../../src/latency/stages.js'

/** One request as a test knows it: the stages it had, in nanoseconds. */
export type TestRequest = Partial<Record<StageName, bigint>>

/** A time in nanoseconds, any order of magnitude from nothing to about 36 minutes equally likely. */
export const arbitraryNs: fc.Arbitrary<bigint> = fc
  .integer({ min: 0, max: 40 })
  .chain(octave =>
    fc.bigInt({ min: octave === 0 ? 0n : 1n << BigInt(octave), max: (1n << BigInt(octave + 1)) - 1n }),
  )

// Fourteen of the longest still stay below the histogram's limit.
const arbitraryStageNs = arbitraryNs.map(ns => ns % 2n ** 37n)

/** A request with any of the stages, at least with the receive call that every request has. */
export const arbitraryRequest: fc.Arbitrary<TestRequest> = fc.record(
  Object.fromEntries(STAGES.map(name => [name, arbitraryStageNs])),
  { requiredKeys: ['recv'] },
)

export const arbitraryRequests = fc.array(arbitraryRequest, { maxLength: 60 })

/** The total of a request in nanoseconds. */
export const totalOf = (request: TestRequest): bigint =>
  STAGES.reduce((sum, name) => (name === 'ack' ? sum : sum + (request[name] ?? 0n)), 0n)

/** The slowest total in nanoseconds; 0 without requests. */
export const slowestOf = (requests: TestRequest[]): bigint => {
  const [slowest = 0n] = requests.map(totalOf).sort((a, b) => Number(b > a) - Number(b < a))
  return slowest
}

/** Counts as the kernel would keep them for these requests, one cell at a time. */
export const recordRequests = (requests: TestRequest[]): Counts => {
  const counts = emptyCounts()
  counts.maxNs = slowestOf(requests)
  for (const request of requests) {
    const total = totalOf(request)
    const bucket = bucketIndex(total)
    counts.begun++
    counts.tailRequests[bucket] = (counts.tailRequests[bucket] ?? 0) + 1
    counts.totalNs[bucket] = (counts.totalNs[bucket] ?? 0n) + total
    for (const [stage, name] of STAGES.entries()) {
      const ns = request[name]
      const histogram = counts.stages[stage]
      if (ns === undefined || histogram === undefined) {
        continue
      }

      const cell = bucket * STAGE_COUNT + stage
      histogram[bucketIndex(ns)] = (histogram[bucketIndex(ns)] ?? 0) + 1
      counts.tailStageNs[cell] = (counts.tailStageNs[cell] ?? 0n) + ns
    }
  }

  return counts
}
