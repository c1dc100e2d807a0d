import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import {
  addCounts,
  type Counts,
  countInFlight,
  countRequests,
  emptyCounts,
  subtractCounts,
} from '../../src/latency/counts.js'
import { BUCKETS, bucketIndex } from '../../src/latency/histogram.js'
import { arbitraryRequests, recordRequests, slowestOf } from './record-requests.js'

const arbitraryCounts = fc
  .tuple(arbitraryRequests, fc.array(fc.nat(1_000_000), { minLength: 8, maxLength: 8 }))
  .map(([requests, [begun = 0, unanswered = 0, pipelined = 0, sameCpu = 0, epollCalls = 0, ...lost]]) => {
    const [ringbuf_full = 0, map_full = 0, clock = 0] = lost
    const counts = recordRequests(requests)
    counts.begun += begun
    return Object.assign(counts, {
      unanswered,
      pipelined,
      sameCpu,
      epollCalls,
      lost: { ringbuf_full, map_full, clock },
    })
  })

// Counts are too large for ava's own comparison, which keeps every cell for a message.
const merge = (...all: Counts[]): Counts => all.reduce((sum, counts) => addCounts(sum, counts), emptyCounts())

test('merging does not depend on order or grouping', t => {
  fc.assert(
    fc.property(arbitraryCounts, arbitraryCounts, arbitraryCounts, (a, b, c) => {
      t.true(isDeepStrictEqual(merge(a, b), merge(b, a)))
      t.true(isDeepStrictEqual(merge(merge(a, b), c), merge(a, merge(b, c))))
      t.true(isDeepStrictEqual(merge(a), a))
    }),
    { numRuns: 20 },
  )
})

test('merging the CPUs of a stream gives the counts of the stream', t => {
  fc.assert(
    fc.property(arbitraryRequests, fc.nat(60), (requests, at) => {
      const parts = merge(recordRequests(requests.slice(0, at)), recordRequests(requests.slice(at)))
      t.true(isDeepStrictEqual(parts, recordRequests(requests)))
      t.is(countRequests(parts), requests.length)
    }),
    { numRuns: 50 },
  )
})

test('merging leaves the counts that are added as they were', t => {
  const other = recordRequests([{ recv: 5n }])
  merge(other, other)
  t.true(isDeepStrictEqual(other, recordRequests([{ recv: 5n }])))
})

test('the difference of two readings is what was added in between', t => {
  fc.assert(
    fc.property(arbitraryCounts, arbitraryCounts, (earlier, added) => {
      const interval = subtractCounts(merge(earlier, added), earlier)
      t.true(isDeepStrictEqual({ ...interval, maxNs: added.maxNs }, added))
    }),
    { numRuns: 50 },
  )
})

test('the slowest of an interval is in its own bucket, never below it', t => {
  fc.assert(
    fc.property(arbitraryRequests, arbitraryRequests, (before, requests) => {
      const earlier = recordRequests(before)
      const { maxNs } = subtractCounts(merge(earlier, recordRequests(requests)), earlier)
      const slowest = slowestOf(requests)
      t.true(maxNs >= slowest)
      t.is(bucketIndex(maxNs), bucketIndex(slowest))
      if (slowest > earlier.maxNs) {
        t.is(maxNs, slowest)
      }
    }),
    { numRuns: 50 },
  )
})

test('the slowest of an interval beyond the last bucket is the cumulative maximum', t => {
  const hour = 3_600_000_000_000n
  const earlier = recordRequests([{ app_wait: 5n }])
  const later = merge(earlier, recordRequests([{ app_wait: hour }]))
  t.is(later.tailRequests[BUCKETS - 1], 1)
  t.is(subtractCounts(later, earlier).maxNs, hour)
})

test('readings in the wrong order are refused, whatever went backwards', t => {
  const request = { recv: 5n, app_cpu: 100n }
  const later = recordRequests([request, request])
  t.throws(() => subtractCounts(recordRequests([request]), later), {
    instanceOf: RangeError,
    message: /begun/,
  })

  const fewer = structuredClone(later)
  fewer.tailRequests[bucketIndex(105)] = 1
  t.throws(() => subtractCounts(fewer, later), { instanceOf: RangeError, message: /bucket/ })

  const shorter = structuredClone(later)
  shorter.tailStageNs.fill(1n)
  t.throws(() => subtractCounts(shorter, later), { instanceOf: RangeError, message: /tail table/ })

  const found = structuredClone(later)
  t.throws(
    () =>
      subtractCounts(
        found,
        merge(later, { ...emptyCounts(), lost: { ringbuf_full: 0, map_full: 1, clock: 0 } }),
      ),
    {
      instanceOf: RangeError,
      message: /map_full/,
    },
  )
})

test('a sum in the tail table that went down to zero is refused', t => {
  const later = recordRequests([{ recv: 5n }])
  const emptied = structuredClone(later)
  emptied.tailStageNs.fill(0n)
  t.throws(() => subtractCounts(emptied, later), { instanceOf: RangeError, message: /tail table/ })
})

test('in flight is what was begun and has not ended in any way', t => {
  const counts = recordRequests([{ recv: 5n }, { recv: 6n }])
  counts.begun = 10
  counts.unanswered = 3
  counts.lost.clock = 1
  t.is(countInFlight(counts), 4)
  counts.begun = 5
  t.is(countInFlight(counts), 0)
})

test('counts of another shape are refused', t => {
  t.throws(() => addCounts(emptyCounts(), { ...emptyCounts(), stages: [] }), {
    instanceOf: RangeError,
    message: /14 stages, not 0/,
  })
})
