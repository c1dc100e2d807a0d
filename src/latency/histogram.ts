const SUB_BUCKETS = 32
const SUB_BUCKET_BITS = 5

/** Buckets in one histogram: 32 for each octave up to 2^41 ns, about 37 minutes. */
export const BUCKETS = 1184

const LIMIT = 2 ** 41

/**
 * The bucket a time in nanoseconds falls into, exactly as the kernel computes it; 2^41 ns and more share the last.
 *
 * Throws RangeError for a time that is negative or not whole.
 */
export const bucketIndex = (ns: bigint | number): number => {
  if (ns < 0 || (typeof ns === 'number' && !Number.isInteger(ns))) {
    throw new RangeError(`ns must be a whole number of nanoseconds, not ${ns}`)
  }

  if (ns >= LIMIT) {
    return BUCKETS - 1
  }

  const value = Number(ns)
  if (value < SUB_BUCKETS) {
    return value
  }

  const exponent = floorLog2(value)
  const leadingBits = Math.floor(value / 2 ** (exponent - SUB_BUCKET_BITS))
  return (exponent - SUB_BUCKET_BITS + 1) * SUB_BUCKETS + (leadingBits % SUB_BUCKETS)
}

// Math.log2 may round up just below a power of two; counting leading zeros can not.
const floorLog2 = (value: number): number =>
  value < 2 ** 32 ? 31 - Math.clz32(value) : 63 - Math.clz32(Math.floor(value / 2 ** 32))

/** The lowest time of a bucket, in nanoseconds. Throws RangeError when there is no such bucket. */
export const bucketLow = (index: number): number => {
  checkBucket(index)
  return index < SUB_BUCKETS ? index : (SUB_BUCKETS + (index % SUB_BUCKETS)) * bucketWidth(index)
}

/**
 * The highest time of a bucket, in nanoseconds and itself inside the bucket; of the last one the highest that is not
 * clamped. Throws RangeError when there is no such bucket.
 */
export const bucketHigh = (index: number): number => bucketLow(index) + bucketWidth(index) - 1

const bucketWidth = (index: number): number =>
  index < SUB_BUCKETS ? 1 : 2 ** (Math.floor(index / SUB_BUCKETS) - 1)

const checkBucket = (index: number): void => {
  if (!Number.isInteger(index) || index < 0 || index >= BUCKETS) {
    throw new RangeError(`index must be a bucket from 0 to ${BUCKETS - 1}, not ${index}`)
  }
}

/** How many values a histogram holds. */
export const countValues = (histogram: Float64Array): number => {
  let count = 0
  for (const inBucket of histogram) {
    count += inBucket
  }

  return count
}

/** How many of `count` values lie at or below a percentile, rounded down; percentiles resolve to a tenth. */
export const countUpTo = (percentile: number, count: number): number =>
  // Whole tenths, because 99.9 itself is not a binary fraction and would move the rank of round counts by one.
  Math.floor((count * Math.round(percentile * 10)) / 1000)

/**
 * The percentile of a histogram in nanoseconds by nearest rank: the middle of the bucket that holds the value of that
 * rank, clamped to the largest value known. Off by at most 1/64 of the value; null when the histogram is empty.
 */
export const findQuantile = (histogram: Float64Array, percentile: number, maxNs: number): number | null => {
  const count = countValues(histogram)
  if (count === 0) {
    return null
  }

  const below = countUpTo(percentile, count)
  const exact = below * 1000 === count * Math.round(percentile * 10)
  const rank = Math.max(1, exact ? below : below + 1)
  let seen = 0
  for (const [index, inBucket] of histogram.entries()) {
    seen += inBucket
    if (seen >= rank) {
      return Math.min(bucketLow(index) + Math.floor((bucketHigh(index) - bucketLow(index)) / 2), maxNs)
    }
  }

  return maxNs
}

/** What was added to a histogram between two readings. */
export const histogramBetween = (earlier: Float64Array, later: Float64Array): Float64Array =>
  later.map((count, bucket) => count - (earlier[bucket] ?? 0))
