import type { ProcessTimes } from '../system/process-times.js'
import type { Neighbour } from './evidence.js'

const LEAST_SHARE = 0.05

/**
 * Gives the processes that took a twentieth of a CPU's time or more between two readings, which are so many ticks apart. What began
 * meanwhile counts whole. The kernel's own threads are no neighbours, for they work for all, nor are the service's processes, nor
 * taut and what it has started, such as the load.
 */
export const findNeighbours = (
  before: readonly ProcessTimes[],
  after: readonly ProcessTimes[],
  { ticks, service, taut }: { ticks: number; service: readonly number[]; taut: number },
): Neighbour[] => {
  const begins = new Map(before.map(each => [`${each.pid} ${each.startTime}`, each.ticks]))
  const own = new Set([...service, ...listOwn(after, taut)])
  return after.flatMap(({ pid, comm, isKernel, startTime, ticks: end, cpu }) => {
    const share = (end - (begins.get(`${pid} ${startTime}`) ?? 0)) / ticks
    return isKernel || own.has(pid) || share < LEAST_SHARE ? [] : [{ pid, comm, share, cpu }]
  })
}

/** Gives a process, all that it has started, and what is of a session that one of those began: its parent may be gone. */
const listOwn = (all: readonly ProcessTimes[], root: number): Set<number> => {
  const own = new Set([root])
  const sessionOfRoot = all.find(({ pid }) => pid === root)?.session
  let size = 0
  while (own.size > size) {
    size = own.size
    for (const { pid, parent, session } of all)
      if (own.has(parent) || (session !== sessionOfRoot && own.has(session))) own.add(pid)
  }
  return own
}
