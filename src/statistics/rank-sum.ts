import type { Interval } from './bootstrap.js'
import { quantile } from './summary.js'

/**
 * By how much the values of the second sample are larger than those of the first: the median of all differences, and the
 * interval that goes with the rank-sum test (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken 2014, chapter 4.3). It asks
 * for nothing but that the two differ by a shift and the values are independent. The interval is infinite where the samples
 * are too small for the confidence. It is exact, and with ties too wide rather than too narrow, up to MOST_EXACT
 * differences; beyond, it is the normal approximation, which takes ties into account.
 */
export const rankSumShift = (a: readonly number[], b: readonly number[], confidence: number): Interval => {
  const differences = Float64Array.from(b.flatMap(to => a.map(from => to - from))).sort()
  const estimate = quantile(differences, 0.5)
  const error = (1 - confidence) / 2
  const beyond =
    differences.length <= MOST_EXACT ? countBeyond(a.length, b.length, error) : approximateBeyond(a, b, error)
  if (beyond === 0) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
  return {
    estimate,
    low: differences[beyond - 1] ?? Number.NaN,
    high: differences[differences.length - beyond] ?? Number.NaN,
  }
}

/** 50 values a side: the exact distribution takes the square of it in steps, and the approximation is good long before. */
const MOST_EXACT = 2500

/** How few runs of each side can't tell anything at a confidence: the most extreme order of them is likelier by chance. */
export const runsNeeded = (confidence: number): number => {
  let runs = 1
  while (countBeyond(runs, runs, (1 - confidence) / 2) === 0) runs++
  return runs
}

/** The most of the ordered differences that may lie beyond an end: P(U < count) is no more than the error. */
export const countBeyond = (n: number, m: number, error: number): number => {
  // The same for both orders, and the smaller one costs less memory in that place.
  const chances = distribute(Math.max(n, m), Math.min(n, m))
  let sum = 0
  for (const [u, chance] of chances.entries()) {
    sum += chance
    if (sum > error) return u
  }
  return chances.length
}

/**
 * The same by the normal approximation, with its correction for continuity. Only ties within a sample make the variance
 * less: those between the samples come and go with the shift that is asked about.
 */
export const approximateBeyond = (a: readonly number[], b: readonly number[], error: number): number => {
  const [n, m] = [a.length, b.length]
  const all = n + m
  const tied = (sumTies(a) + sumTies(b)) / (all * (all - 1))
  const variance = ((n * m) / 12) * (all + 1 - tied)
  return Math.max(0, Math.floor((n * m) / 2 + normalQuantile(error) * Math.sqrt(variance) + 0.5))
}

/** Of each value that there is t times, t³ − t. */
const sumTies = (values: readonly number[]): number => {
  const times = new Map<number, number>()
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1)
  return [...times.values()].reduce((sum, t) => sum + t ** 3 - t, 0)
}

/** Where the standard normal distribution has a probability on its left that is below 0.5; found by halving. */
const normalQuantile = (probability: number): number => {
  let [low, high] = [-10, 0]
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (normalBelow(middle) < probability) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The probability on the left of z, which is not above 0, to 1e-7 (Abramowitz and Stegun 1964, 26.2.17). */
const normalBelow = (z: number): number => {
  const t = 1 / (1 - 0.2316419 * z)
  const series =
    t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * series
}

/** The probabilities of Mann and Whitney's U for samples of n and m: each way to mix the two orders is as likely. */
const distribute = (n: number, m: number): Float64Array => {
  // ways[j][u]: of j values of the second sample among those of the first so far, with this U.
  let ways: Float64Array[] = Array.from({ length: m + 1 }, () => Float64Array.of(1))
  for (let i = 1; i <= n; i++) {
    const next: Float64Array[] = []
    for (let j = 0; j <= m; j++) {
      const row = new Float64Array(i * j + 1)
      // The largest is of the first sample, above all j of the second, or of the second.
      const [first, second] = [ways[j], j === 0 ? undefined : next[j - 1]]
      for (let u = 0; u < row.length; u++) {
        const fromFirst = u >= j ? ((first?.[u - j] ?? 0) * i) / (i + j) : 0
        const fromSecond = j === 0 ? 0 : ((second?.[u] ?? 0) * j) / (i + j)
        row[u] = fromFirst + fromSecond
      }
      next.push(row)
    }
    ways = next
  }
  return ways[m] ?? Float64Array.of(1)
}
