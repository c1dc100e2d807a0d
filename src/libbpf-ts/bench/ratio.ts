/** A ratio with the interval that it lies in. */
export interface Ratio {
  readonly estimate: number
  readonly low: number
  readonly high: number
  readonly confidence: number
}

const resamples = 2000

/** Gives the middle one of the values. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Gives the median of ratios, each from one pair of runs, with a 95 % bootstrap interval. */
export const estimateRatio = (ratios: readonly number[]): Ratio => {
  const medians = Array.from({ length: resamples }, () =>
    median(ratios.map(() => ratios[Math.floor(Math.random() * ratios.length)] ?? Number.NaN)),
  ).sort((a, b) => a - b)
  return {
    estimate: median(ratios),
    low: medians[Math.floor(resamples * 0.025)] ?? Number.NaN,
    high: medians[Math.ceil(resamples * 0.975) - 1] ?? Number.NaN,
    confidence: 0.95,
  }
}
