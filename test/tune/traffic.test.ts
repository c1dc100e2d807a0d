import test from 'ava'
import { BUCKETS, bucketHigh, bucketIndex, bucketLow } from '../../src/latency/histogram.js'
import type { SoFar } from '../../src/tune/slice.js'
import { measureSlice, quantileOf } from '../../src/tune/traffic.js'

const [fast, slow] = [bucketIndex(50_000), bucketIndex(400_000)]

const histogramOf = (...counts: [bucket: number, count: number][]): Float64Array => {
  const histogram = new Float64Array(BUCKETS)
  for (const [bucket, count] of counts) histogram[bucket] = count
  return histogram
}

test('a percentile is within its bucket, and moves there with the requests below it', t => {
  const at = (slower: number): number => quantileOf(histogramOf([fast, 1000], [slow, slower]), 50)
  t.true(at(0) > bucketLow(fast) && at(0) < bucketHigh(fast))
  t.true(at(0) < at(10) && at(10) < at(20) && at(20) < bucketHigh(fast))
  const p99 = quantileOf(histogramOf([fast, 980], [slow, 20]), 99)
  t.is(p99, (bucketLow(slow) + bucketHigh(slow)) / 2)
})

test('without requests there is none', t => {
  t.is(quantileOf(histogramOf(), 99), Number.NaN)
})

test('of a slice it is asked on the way and at its end, and what is lost within it is told', async t => {
  let reads = 0
  let lost = 5
  const seen: SoFar[] = []
  const slice = await measureSlice(
    {
      readTotals: () => histogramOf([fast, 100 * reads], [slow, 7 * reads++]),
      readAcks: () => histogramOf(),
      countUnanswered: () => 0,
      countLost: () => lost++,
    },
    { energy: null, thermometers: [] },
    { read: () => 3 * reads, [Symbol.dispose]: () => {} },
    120,
    new AbortController().signal,
    soFar => {
      seen.push(soFar)
      return false
    },
  )
  t.true(seen.length >= 2)
  t.is(seen.at(-1)?.requests, slice.requests)
  t.is(slice.requests, 107 * (reads - 1))
  t.is(slice.lost, 1)
  t.is(slice.retransmits, 3 * (reads - 1))
  t.is(seen[0]?.countSlower(100_000), 7)
  // What may be as fast is not slower.
  t.is(seen[0]?.countSlower(400_000), 0)
  t.is(seen[0]?.countSlower(1), 107)
})
