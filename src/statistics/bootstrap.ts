import type { Random } from './random.js'
import { deviation, mean, quantile } from './summary.js'

/** An estimate, and the interval that holds what is estimated with a confidence. */
export type Interval = { estimate: number; low: number; high: number }

const RESAMPLES = 2000

/**
 * The mean of values and its interval by the bootstrap-t: each resample's mean is compared with its own standard error, which
 * makes it right for few values and skewed ones (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter
 * 12.5). The values must be independent, as pairs of slices are, and not as requests are. With fewer than two the interval
 * is infinite.
 */
export const bootstrapMean = (
  values: readonly number[],
  confidence: number,
  random: Random,
  resamples = RESAMPLES,
): Interval => {
  const estimate = mean(values)
  if (values.length < 2) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY }
  const error = errorOf(values)
  if (error === 0) return { estimate, low: estimate, high: estimate }
  // Around the estimate, so that sums of squares lose nothing.
  const centered = Float64Array.from(values, value => value - estimate)
  const ts = Float64Array.from({ length: resamples }, () => drawT(centered, random)).sort()
  const beyond = (1 - confidence) / 2
  const edge = (share: number): number => estimate - quantile(ts, share) * error
  return { estimate, low: edge(1 - beyond), high: edge(beyond) }
}

/** The mean of one resample of centered values, in its own standard errors. */
const drawT = (centered: Float64Array, random: Random): number => {
  const count = centered.length
  let sum = 0
  let squares = 0
  for (let drawn = 0; drawn < count; drawn++) {
    const value = centered[Math.floor(random() * count)] ?? 0
    sum += value
    squares += value * value
  }
  const distance = sum / count
  const variance = Math.max(0, squares - sum * distance) / (count - 1)
  // All the same by chance: the distance counts as far, where there is one.
  return distance === 0 ? 0 : distance / Math.sqrt(variance / count)
}

/** Values that are the same but for rounding have none. */
const errorOf = (values: readonly number[]): number => {
  const spread = deviation(values)
  const size = Math.max(...values.map(Math.abs))
  return spread <= size * 1e-12 ? 0 : spread / Math.sqrt(values.length)
}
