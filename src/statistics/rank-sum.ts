import type { Interval } from './bootstrap.js'
import { median } from './summary.js'

/**
 * By how much the values of the second sample are larger than those of the first: the median of all differences, and the exact
 * interval that goes with the rank-sum test (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken 2014, chapter 4.3). It asks
 * for nothing but that the two differ by a shift and the values are independent. The interval is infinite where the samples
 * are too small for the confidence; with ties it is too wide rather than too narrow.
 */
export const rankSumShift = (a: readonly number[], b: readonly number[], confidence: number): Interval => {
  const differences = b.flatMap(to => a.map(from => to - from)).sort((x, y) => x - y)
  const estimate = median(differences)
  const beyond = countBeyond(a.length, b.length, (1 - confidence) / 2)
  if (beyond === 0) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
  return {
    estimate,
    low: differences[beyond - 1] ?? Number.NaN,
    high: differences[differences.length - beyond] ?? Number.NaN,
  }
}

/** How few runs of each side can't tell anything at a confidence: the most extreme order of them is likelier by chance. */
export const runsNeeded = (confidence: number): number => {
  let runs = 1
  while (countBeyond(runs, runs, (1 - confidence) / 2) === 0) runs++
  return runs
}

/** The most of the ordered differences that may lie beyond an end: P(U < count) is no more than the error. */
const countBeyond = (n: number, m: number, error: number): number => {
  const chances = distribute(n, m)
  let sum = 0
  for (const [u, chance] of chances.entries()) {
    sum += chance
    if (sum > error) return u
  }
  return chances.length
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
