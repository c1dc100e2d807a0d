import test from 'ava'
import fc from 'fast-check'
import {
  BUCKETS,
  bucketHigh,
  bucketIndex,
  bucketLow,
  countUpTo,
  countValues,
  findQuantile,
} from '../../src/latency/histogram.js'
import { arbitraryNs } from './record-requests.js'

/** The kernel's own arithmetic, in integers. */
const kernelIndex = (ns: bigint): number => {
  if (ns < 32n) {
    return Number(ns)
  }

  const exponent = BigInt(ns.toString(2).length - 1)
  const index = (exponent - 4n) * 32n + ((ns >> (exponent - 5n)) & 31n)
  return Math.min(Number(index), BUCKETS - 1)
}

const fill = (values: bigint[]): Float64Array => {
  const histogram = new Float64Array(BUCKETS)
  for (const value of values) {
    const index = bucketIndex(value)
    histogram[index] = (histogram[index] ?? 0) + 1
  }

  return histogram
}

const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : Number(a > b))

test('buckets are the ones of the kernel', t => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), arbitraryNs, (any, spread) => {
      t.is(bucketIndex(any), kernelIndex(any))
      t.is(bucketIndex(spread), kernelIndex(spread))
      t.is(bucketIndex(Number(spread)), kernelIndex(spread))
    }),
  )
})

test('buckets hold at every power of two and next to it', t => {
  for (let exponent = 0n; exponent < 64n; exponent++) {
    for (const ns of [2n ** exponent - 1n, 2n ** exponent, 2n ** exponent + 1n]) {
      t.is(bucketIndex(ns), kernelIndex(ns), `${ns}`)
    }
  }

  t.is(bucketIndex(2 ** 41 - 1), BUCKETS - 1)
  t.is(bucketIndex(2 ** 41), BUCKETS - 1)
  t.is(bucketIndex(2n ** 64n - 1n), BUCKETS - 1)
})

test('buckets follow each other without a gap, and their ends lie inside', t => {
  for (let index = 0; index < BUCKETS; index++) {
    t.is(bucketLow(index), index === 0 ? 0 : bucketHigh(index - 1) + 1)
    t.is(bucketIndex(bucketLow(index)), index)
    t.is(bucketIndex(bucketHigh(index)), index)
  }

  t.is(bucketHigh(BUCKETS - 1), 2 ** 41 - 1)
})

test('what is not a time or not a bucket is refused', t => {
  for (const ns of [-1, -1n, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => bucketIndex(ns), { instanceOf: RangeError, message: /ns must be/ })
  }

  for (const index of [-1, 0.5, BUCKETS, Number.NaN]) {
    t.throws(() => bucketLow(index), { instanceOf: RangeError, message: /index must be/ })
    t.throws(() => bucketHigh(index), { instanceOf: RangeError, message: /index must be/ })
  }
})

test('a quantile is within 3.2 % of the sorted stream, by nearest rank', t => {
  const tenths = fc.integer({ min: 1, max: 1000 })
  fc.assert(
    fc.property(fc.array(arbitraryNs, { minLength: 1, maxLength: 2000 }), tenths, (values, tenth) => {
      const sorted = values.toSorted(byValue)
      const rank = Math.ceil((sorted.length * tenth) / 1000)
      const expected = Number(sorted[rank - 1])
      const quantile = findQuantile(fill(values), tenth / 10, Number(sorted.at(-1)))
      t.true(
        quantile !== null && Math.abs(quantile - expected) <= expected * 0.032,
        `${quantile} for ${expected}`,
      )
      t.true(quantile !== null && quantile <= Number(sorted.at(-1)))
    }),
    { numRuns: 300 },
  )
})

test('ranks of round counts are exact', t => {
  t.is(countUpTo(99.9, 1000), 999)
  t.is(countUpTo(99.9, 10_000), 9990)
  t.is(countUpTo(99, 150), 148)
  const values = Array.from({ length: 1000 }, (_, index) => (index < 999 ? 1n : 20n))
  t.is(findQuantile(fill(values), 99.9, 20), 1)
  t.is(findQuantile(fill(values), 100, 20), 20)
})

test('an empty histogram has no quantile', t => {
  t.is(findQuantile(new Float64Array(BUCKETS), 50, 0), null)
  t.is(countValues(new Float64Array(BUCKETS)), 0)
})
