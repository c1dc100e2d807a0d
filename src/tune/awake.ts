import { type FrequencyTimes, readFrequencyTimes } from '../system/frequencies.js'
import { type IdleTimes, readIdleTimes } from '../system/idle.js'

/** How CPUs have rested since boot: in which idle states, and at which frequencies; null what the kernel does not keep. */
export type Rest = { idle: IdleTimes | null; frequencies: FrequencyTimes | null }

/** Gives it. */
export const readRest = (sys = '/sys'): Rest => ({
  idle: readIdleTimes(sys),
  frequencies: readFrequencyTimes(sys),
})

/** Gives the CPUs' mean frequency between two readings, in MHz; null where the kernel does not keep the times. */
export const meanMhzBetween = (
  { frequencies: before }: Rest,
  { frequencies: after }: Rest,
): number | null => {
  if (before === null || after === null || after.ticks <= before.ticks) return null
  return (after.mhzTicks - before.mhzTicks) / (after.ticks - before.ticks)
}

/**
 * Gives what stands in for watts where nothing tells them: the share of the CPUs' time in which they were awake, idle states
 * counting as half awake and the like by their depth, times their mean frequency in MHz where the kernel keeps that. Null where it
 * tells neither. Of the idle time /proc/stat tells how much there was, for it counts what goes on, and cpuidle how deep it was:
 * `busy` is the share of time in which the CPUs were.
 */
export const awakeBetween = (before: Rest, after: Rest, busy: number): number | null => {
  const mhz = meanMhzBetween(before, after)
  // No ratio may have it on one side only.
  if (before.frequencies !== null && mhz === null) return null
  if (before.idle === null || after.idle === null) return mhz === null ? null : busy * mhz
  const us = after.idle.us - before.idle.us
  const depth = us > 0 ? (after.idle.deepUs - before.idle.deepUs) / us : 1
  return (busy + (1 - busy) * (1 - depth)) * (mhz ?? 1)
}
