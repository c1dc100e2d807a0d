import type { ProcessTimes } from '../system/process-times.js'
import type { Neighbour } from './evidence.js'

const LEAST_SHARE = 0.05

/**
 * Gives the processes that took a twentieth of a CPU's time or more between two readings, which are so many ticks apart, but for
 * those that don't count as neighbours. What began meanwhile counts whole.
 */
export const findNeighbours = (
  before: readonly ProcessTimes[],
  after: readonly ProcessTimes[],
  ticks: number,
  own: readonly number[],
): Neighbour[] => {
  const begins = new Map(before.map(each => [`${each.pid} ${each.startTime}`, each.ticks]))
  return after.flatMap(({ pid, comm, startTime, ticks: end, cpu }) => {
    const share = (end - (begins.get(`${pid} ${startTime}`) ?? 0)) / ticks
    return own.includes(pid) || share < LEAST_SHARE ? [] : [{ pid, comm, share, cpu }]
  })
}
