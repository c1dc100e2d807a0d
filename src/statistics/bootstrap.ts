import type { Random } from './random.js'
import { deviation, mean, quantile } from './summary.js'

/** An estimate, and the interval that holds what is estimated with a confidence. */
export type Interval = { estimate: number; low: number; high: number }

const RESAMPLES = 2000

/** Gives as many of the values, drawn with replacement. */
export const resample = (values: readonly number[], random: Random): number[] =>
  Array.from(values, () => values[Math.floor(random() * values.length)] ?? Number.NaN)

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
  const ts = Array.from({ length: resamples }, () => {
    const drawn = resample(values, random)
    const distance = mean(drawn) - estimate
    // All the same by chance: the distance counts as far, where there is one.
    return distance === 0 ? 0 : distance / errorOf(drawn)
  }).sort((a, b) => a - b)
  const beyond = (1 - confidence) / 2
  const edge = (share: number): number => {
    const t = quantile(ts, share)
    return error === 0 ? estimate : estimate - t * error
  }
  return { estimate, low: edge(1 - beyond), high: edge(beyond) }
}

const errorOf = (values: readonly number[]): number => deviation(values) / Math.sqrt(values.length)
