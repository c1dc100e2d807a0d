import { build, type Histogram, HistogramLogReader } from 'hdr-histogram-js'
import { median } from '../statistics/summary.js'
import { type Quantity, refuse, type Samples } from './measurement.js'

/** A compressed histogram of 2 GB of counts is smaller: what is longer is none. */
const LONGEST_LINE = 1 << 18

/** All intervals together are as exact as one of them usually is. */
const DIGITS = 3

/** Tells whether a text begins as an HdrHistogram log (V2) does. */
export const isHdrLog = (text: string): boolean =>
  /^#\[(?:Histogram log format|StartTime|BaseTime|Logged)|^"StartTimestamp"/m.test(text.slice(0, 4096))

/** Reads one run, of which every line is an interval; all tags together, in the log's own unit. */
export const readHdrLog = (file: string, text: string, quantity: Quantity): Samples => {
  const long = text.split('\n').findIndex(line => line.length > LONGEST_LINE)
  if (long >= 0) return refuse(file, long + 1, 'it is too long for a histogram')
  let whole: Histogram | null = null
  let parts = 0
  try {
    const reader = new HistogramLogReader(text)
    for (let next = reader.nextIntervalHistogram(); next !== null; next = reader.nextIntervalHistogram()) {
      parts++
      // Of its own, which grows: an interval may have values that the first one has no room for.
      whole ??= build({ numberOfSignificantValueDigits: DIGITS })
      whole.add(next as Histogram)
    }
  } catch (error) {
    return refuse(file, 0, `it is no HdrHistogram log: ${error instanceof Error ? error.message : error}`)
  }
  if (whole === null || whole.totalCount === 0) return refuse(file, 0, 'there is no value in it')
  const value = quantity === 'mean' ? whole.mean : whole.getValueAtPercentile(Number(quantity.slice(1)))
  return { quantity, unit: 'file', runs: new Map([[file, [value]]]), summarize: median, parts }
}
