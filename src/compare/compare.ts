import type { Interval } from '../statistics/bootstrap.js'
import { rankSumShift, runsNeeded } from '../statistics/rank-sum.js'
import { median } from '../statistics/summary.js'
import { MeasurementError, type Runs, type RunUnit } from './measurement.js'

const CONFIDENCE = 0.95
/** As many pairs of runs as fit into a small machine's memory. */
const MOST_PAIRS = 1 << 22

/** One side: its runs, what was taken as one, and of how many numbers or documents they are. */
export type Side = { runs: number; median: number; unit: RunUnit; parts: number }

/** How the second measurement stands to the first: a ratio of 0.8 is a fifth less. */
export type Comparison = {
  quantity: string
  a: Side
  b: Side
  /** Null where there are too few runs for an interval; then `needed` says how many of each side it takes. */
  ratio: (Interval & { confidence: number }) | null
  needed: number
  margin: number
  verdict: 'better' | 'worse' | 'same' | 'unclear'
}

/**
 * Compares two measurements run by run: requests of one run are no evidence of another one. The ratio is the median of those of
 * all pairs of runs, its interval that of the rank-sum test (rankSumShift of the logarithms). Less is better; `same` when the whole interval lies
 * within the margin, `unclear` when the data can't tell. Throws a MeasurementError for measurements of different quantities
 * and for values that have no ratio.
 */
export const compare = (a: Runs, b: Runs, margin: number): Comparison => {
  if (a.quantity !== b.quantity)
    throw new MeasurementError(`A has ${a.quantity} and B has ${b.quantity}: they can't be compared`)
  const strange = [...a.values, ...b.values].find(value => !(value > 0) || value === Number.POSITIVE_INFINITY)
  if (strange !== undefined)
    throw new MeasurementError(`${strange} has no ratio to anything: it takes values above 0`)
  if (a.values.length * b.values.length > MOST_PAIRS)
    throw new MeasurementError(
      `${a.values.length} and ${b.values.length} runs are too many to compare (2,000 of each are enough)`,
    )
  const { estimate, low, high } = rankSumShift(a.values.map(Math.log), b.values.map(Math.log), CONFIDENCE)
  const sides = {
    quantity: a.quantity,
    a: describeSide(a),
    b: describeSide(b),
    needed: runsNeeded(CONFIDENCE),
    margin,
  }
  if (!Number.isFinite(low)) return { ...sides, ratio: null, verdict: 'unclear' }
  const ratio = {
    estimate: Math.exp(estimate),
    low: Math.exp(low),
    high: Math.exp(high),
    confidence: CONFIDENCE,
  }
  return { ...sides, ratio, verdict: judge(ratio, margin) }
}

const describeSide = ({ values, unit, parts }: Runs): Side => ({
  runs: values.length,
  median: median(values),
  unit,
  parts,
})

const judge = ({ low, high }: Interval, margin: number): Comparison['verdict'] => {
  if (low >= 1 / (1 + margin) && high <= 1 + margin) return 'same'
  if (high < 1) return 'better'
  return low > 1 ? 'worse' : 'unclear'
}
