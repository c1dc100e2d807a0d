import { quantile } from '../statistics/summary.js'

/** The quantities that can be compared. */
export const QUANTITIES = ['p50', 'p90', 'p99', 'p99.9', 'mean'] as const
export type Quantity = (typeof QUANTITIES)[number]

/** What was taken as one run: all lines that name it, documents of one session, a file, or a text of numbers that name none. */
export type RunUnit = 'name' | 'session' | 'file' | 'text'

/**
 * The runs of one measurement, each by one number; what a number is of is in `quantity`, as `p99_us`. `parts` are the numbers,
 * documents or intervals that were read, of which a run may have many.
 */
export type Runs = { quantity: string; values: number[]; unit: RunUnit; parts: number }

/**
 * What is in one file: of each run, by its name, the samples; and how they become its one number. Two files with a run of one name
 * have parts of it.
 */
export type Samples = {
  quantity: string
  unit: RunUnit
  runs: ReadonlyMap<string, readonly number[]>
  summarize: (samples: readonly number[]) => number
  parts: number
}

/** Adds something to what there is of a run. */
export const addTo = <Part>(runs: Map<string, Part[]>, run: string, part: Part): void => {
  const others = runs.get(run)
  if (others === undefined) runs.set(run, [part])
  else others.push(part)
}

/** A file can't be compared; the message names it, the line where there is one, and what to do. */
export class MeasurementError extends Error {
  override name = 'MeasurementError'
}

/** Throws a MeasurementError for a line of a file, counted from 1; 0 for the file as a whole. */
export const refuse = (file: string, line: number, what: string): never => {
  throw new MeasurementError(`${file}${line === 0 ? '' : `, line ${line}`}: ${what}`)
}

/** Gives the quantity of samples of one run; NaN without any. */
export const summarizeRun = (samples: readonly number[], quantity: Quantity): number =>
  quantity === 'mean'
    ? samples.reduce((sum, value) => sum + value, 0) / samples.length
    : quantile(
        samples.toSorted((a, b) => a - b),
        Number(quantity.slice(1)) / 100,
      )
