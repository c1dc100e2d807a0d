import { median } from '../statistics/summary.js'
import type { Slice } from './slice.js'

/** The medians of slices; of mishaps, the sums. */
export type Summary = Omit<Slice, 'requests' | 'seconds' | 'ack'> & { throughput: number }

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
  const sum = (read: (slice: Slice) => number): number =>
    slices.reduce((total, slice) => total + read(slice), 0)
  return {
    p50: of(slice => slice.p50),
    p99: of(slice => slice.p99),
    p999: of(slice => slice.p999),
    mean: of(slice => slice.mean),
    busy: of(slice => slice.busy),
    retransmits: sum(slice => slice.retransmits),
    unanswered: sum(slice => slice.unanswered),
    lost: sum(slice => slice.lost),
    throughput: of(slice => slice.requests / slice.seconds),
    watts: ofKnown(slices, slice => slice.watts),
    awake: ofKnown(slices, slice => slice.awake),
    celsius: ofKnown(slices, slice => slice.celsius),
    headroom: ofKnown(slices, slice => slice.headroom),
    wakeups: ofKnown(slices, slice => slice.wakeups),
    mhz: ofKnown(slices, slice => slice.mhz),
  }
}
