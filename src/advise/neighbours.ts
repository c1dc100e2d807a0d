import type { ProcessTimes, ThreadTimes } from '../system/process-times.js'
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

/**
 * Gives a process's neighbour on each CPU of which its threads took a twentieth or more, by where each was last. What the threads
 * that are there don't account for, such as those that have ended, counts where the process was. `ticksBefore` is what a thread had
 * taken before.
 */
export const placeNeighbour = (
  process: Neighbour,
  threads: readonly ThreadTimes[],
  ticksBefore: (tid: number) => number,
  ticks: number,
): Neighbour[] => {
  const shares = new Map<number, number>()
  const add = (cpu: number, share: number): void => {
    shares.set(cpu, (shares.get(cpu) ?? 0) + share)
  }
  for (const { tid, ticks: end, cpu } of threads) add(cpu, Math.max(0, end - ticksBefore(tid)) / ticks)
  const placed = [...shares.values()].reduce((sum, share) => sum + share, 0)
  add(process.cpu, Math.max(0, process.share - placed))
  return [...shares]
    .filter(([, share]) => share >= LEAST_SHARE)
    .map(([cpu, share]) => ({ ...process, cpu, share: Math.min(1, share) }))
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
