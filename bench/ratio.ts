/** An estimate with the interval that holds it with the given confidence. */
export type Interval = { estimate: number; low: number; high: number; confidence: number; pairs: number }

const RESAMPLES = 4000
const CONFIDENCE = 0.95

/**
 * The ratio of interleaved pairs: the geometric mean of `on / off` over the pairs, with a percentile bootstrap interval
 * that resamples pairs (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13). Pairs that share a
 * disturbance keep it on both sides, which is why they are the unit and single runs are not.
 */
export const estimateRatio = (pairs: readonly { on: number; off: number }[]): Interval => {
  const logs = pairs.map(({ on, off }) => Math.log(on / off))
  const random = createRandom(logs.length)
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0
    for (let index = 0; index < logs.length; index++) sum += logs[Math.floor(random() * logs.length)] ?? 0
    return sum / logs.length
  }).sort((a, b) => a - b)
  const at = (share: number): number => Math.exp(means[Math.floor(share * (RESAMPLES - 1))] ?? Number.NaN)
  return {
    estimate: Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length),
    low: at((1 - CONFIDENCE) / 2),
    high: at((1 + CONFIDENCE) / 2),
    confidence: CONFIDENCE,
    pairs: logs.length,
  }
}

/** A generator with a fixed seed (mulberry32), so that the same pairs give the same interval. */
const createRandom = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
