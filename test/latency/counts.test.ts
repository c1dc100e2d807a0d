import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { type Counts, countInFlight, emptyCounts, subtractCounts } from '../../src/latency/counts.js'
import { BUCKETS, bucketIndex } from '../../src/latency/histogram.js'
import { arbitraryRequests, recordRequests, slowestOf, type TestRequest } from './record-requests.js'

/** A stretch of a service's life: its complete requests, and how much the other counters rose. */
type Stretch = { requests: TestRequest[]; risen: Risen }

const COUNTERS = ['begun', 'unanswered', 'pipelined', 'unsplit', 'undivided', 'sameCpu'] as const
const LOSSES = ['ringbuf_full', 'map_full', 'unmatched', 'clock'] as const
type Risen = Record<(typeof COUNTERS)[number] | (typeof LOSSES)[number], number>

const arbitraryStretch: fc.Arbitrary<Stretch> = fc.record({
  requests: arbitraryRequests,
  risen: fc.record({
    begun: fc.nat(1_000_000),
    unanswered: fc.nat(1_000_000),
    pipelined: fc.nat(1_000_000),
    unsplit: fc.nat(1_000_000),
    undivided: fc.nat(1_000_000),
    sameCpu: fc.nat(1_000_000),
    ringbuf_full: fc.nat(1_000_000),
    map_full: fc.nat(1_000_000),
    unmatched: fc.nat(1_000_000),
    clock: fc.nat(1_000_000),
  }),
})

/** The kernel's counts after these stretches. */
const countUp = (...stretches: Stretch[]): Counts => {
  const counts = recordRequests(stretches.flatMap(({ requests }) => requests))
  for (const { risen } of stretches) {
    for (const name of COUNTERS) counts[name] += risen[name]
    for (const reason of LOSSES) counts.lost[reason] += risen[reason]
  }
  return counts
}

test('the difference of two readings is what was added in between', t => {
  fc.assert(
    fc.property(arbitraryStretch, arbitraryStretch, (earlier, later) => {
      const interval = subtractCounts(countUp(earlier, later), countUp(earlier))
      const added = countUp(later)
      // Counts are too large for ava's own comparison, which keeps every cell for a message.
      t.true(isDeepStrictEqual({ ...interval, maxNs: added.maxNs }, added))
    }),
    { numRuns: 50 },
  )
})

test('the slowest of an interval is in its own bucket, never below it', t => {
  fc.assert(
    fc.property(arbitraryRequests, arbitraryRequests, (before, requests) => {
      const earlier = recordRequests(before)
      const { maxNs } = subtractCounts(recordRequests([...before, ...requests]), earlier)
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
  const later = recordRequests([{ app_wait: 5n }, { app_wait: hour }])
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
  t.throws(() => subtractCounts(shorter, later), { instanceOf: RangeError, message: /a sum went/ })

  const found = structuredClone(later)
  found.lost.map_full = 1
  t.throws(() => subtractCounts(later, found), { instanceOf: RangeError, message: /map_full/ })
})

test('a sum in the tail table that went down to zero is refused', t => {
  const later = recordRequests([{ recv: 5n }])
  const emptied = structuredClone(later)
  emptied.tailStageNs.fill(0n)
  t.throws(() => subtractCounts(emptied, later), { instanceOf: RangeError, message: /a sum went/ })
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
  t.throws(() => subtractCounts(emptyCounts(), { ...emptyCounts(), stages: [] }), {
    instanceOf: RangeError,
    message: /15 stages, not 0/,
  })
})
