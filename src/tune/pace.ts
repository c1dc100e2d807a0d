import { planLooks } from './looks.js'
import type { Goal } from './slice.js'

/**
 * Of the time, this long at most is for looking before anything is tried: enough for the thousand requests that advice takes, where
 * there are just enough a second to tell slices apart.
 */
const LOOK_S = 7
const LOOK_SHARE = 0.2
/** After a switch, before its effect counts. */
export const SETTLE_MS = 100
/** A slice has so many requests beyond the percentile that is the goal, if that takes no longer than the longest slice. */
const SLICE_BEYOND = 20
const SLICE_MS = { least: 250, most: 2000 }
/** Fewer beyond it in a slice are too few to tell. */
const LEAST_BEYOND = 3
/** The percentile that a goal is about, as the share beyond it; the guards' p99 for all others. */
const BEYOND: Readonly<Partial<Record<Goal, number>>> = { 'p99.9': 0.001 }
const USUALLY_BEYOND = 0.01
/** Of the time, what is left for the trials of all candidates. */
const TRIALS_SHARE = 0.6

/** Gives the share of requests that a goal's percentile tells the slowest of. */
export const beyondOf = (goal: Goal): number => BEYOND[goal] ?? USUALLY_BEYOND

/** Gives for how many seconds to look before anything is tried, of the seconds that there are. */
export const lookFor = (seconds: number): number => Math.min(LOOK_S, seconds * LOOK_SHARE)

const msFor = (several: number, goal: Goal, rate: number): number => (several / beyondOf(goal) / rate) * 1000

const leastRate = (goal: Goal): number => LEAST_BEYOND / beyondOf(goal) / (SLICE_MS.most / 1000)

const clamp = (ms: number): number => Math.min(SLICE_MS.most, Math.max(SLICE_MS.least, ms))

/**
 * Gives how many milliseconds a slice is to last: as long as it takes for enough requests beyond the percentile, but short enough
 * for each candidate to come to its second look in so many seconds, if that leaves any. Null where the requests, of which there
 * are so many a second, are too few.
 */
export const chooseSlice = (
  rate: number,
  { goal, seconds, candidates }: { goal: Goal; seconds: number; candidates: number },
): number | null => {
  if (rate < leastRate(goal)) return null
  const msOfTrial = ((seconds - lookFor(seconds)) * 1000 * TRIALS_SHARE) / candidates
  const inTime = msOfTrial / (2 * (planLooks(candidates).at[1] ?? 1)) - SETTLE_MS
  return clamp(Math.max(msFor(LEAST_BEYOND, goal, rate), Math.min(msFor(SLICE_BEYOND, goal, rate), inTime)))
}

/**
 * Says what it takes to tune where requests are too few to estimate that by: so many a second, so many at least where that is told,
 * and the fewest pairs of slices that prove anything of each candidate, with the time they take.
 */
export const describeNeeded = (goal: Goal, candidates: number, least = 0): string => {
  const rate = Math.ceil(Math.max(leastRate(goal), least))
  const [pairs = 0] = planLooks(candidates).at
  const pairMs = 2 * (clamp(msFor(LEAST_BEYOND, goal, rate)) + SETTLE_MS)
  const each = candidates === 1 ? '' : ` for each of ${candidates} candidates`
  return `it takes ${rate} a second, and of them ${pairs} pairs of slices or more${each}, ${Math.ceil((candidates * pairs * pairMs) / 1000)} s`
}
