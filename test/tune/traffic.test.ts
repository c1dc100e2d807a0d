import test from 'ava'
import { BUCKETS, bucketHigh, bucketIndex, bucketLow } from '../../src/latency/histogram.js'
import { quantileOf } from '../../src/tune/traffic.js'

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
