import { median } from '../statistics/summary.js'
import type { Slice } from './slice.js'

/** The medians of slices. */
export type Summary = Pick<
  Slice,
  'p50' | 'p99' | 'p999' | 'mean' | 'busy' | 'awake' | 'watts' | 'celsius'
> & {
  throughput: number
}

/** Gives the median of what is known; null where nothing is. */
export const ofKnown = (slices: readonly Slice[], read: (slice: Slice) => number | null): number | null => {
  const known = slices.flatMap(slice => read(slice) ?? [])
  return known.length === 0 ? null : median(known)
}

/** Sums slices up; null where none has requests. */
export const summarize = (all: readonly Slice[]): Summary | null => {
  // A slice without requests has no times.
  const slices = all.filter(({ requests }) => requests > 0)
  if (slices.length === 0) return null
  const of = (read: (slice: Slice) => number): number => median(slices.map(read))
  return {
    p50: of(slice => slice.p50),
    p99: of(slice => slice.p99),
    p999: of(slice => slice.p999),
    mean: of(slice => slice.mean),
    busy: of(slice => slice.busy),
    throughput: of(slice => slice.requests / slice.seconds),
    watts: ofKnown(slices, slice => slice.watts),
    awake: ofKnown(slices, slice => slice.awake),
    celsius: ofKnown(slices, slice => slice.celsius),
  }
}
