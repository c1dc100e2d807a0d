import { formatCpuList } from '../../system/cpu-list.js'
import { listNumbered } from '../../system/files.js'
import { readStat } from '../../system/stat.js'
import { listThreads, readThread, type Thread } from '../../system/threads.js'
import { type AffinityPlace, listOwnThreads, parseAffinity, setThreads, threadKey } from './affinity.js'

/** What taut gave to the threads of a process: their CPUs before, those it wrote, and when, in clock ticks since boot. */
export type Given = { from: string; to: string; ticks?: number | undefined }

/** A thread that has the CPUs that taut gave, and those of before. */
type Held = { thread: Thread; cpus: string }

/**
 * Gives the threads that are where taut put them: of the process, and of those that descend from it and began later, for
 * they have its CPUs from it. A thread with other CPUs was given them by someone else, or by itself; unless `isAll` is
 * set, by which all of the process that is not as before is meant.
 */
export const listHeld = (
  place: AffinityPlace,
  { from, to, ticks }: Given,
  { isAll = false } = {},
): Held[] => {
  const [cpusBefore, cpusGiven] = [parseAffinity(from), parseAffinity(to)]
  const hold = (thread: Thread, isAny: boolean): Held[] => {
    const [key, now] = [threadKey(thread), formatCpuList(thread.cpus)]
    const cpus = cpusBefore(key)
    return now !== cpus && (isAny || now === cpusGiven(key)) ? [{ thread, cpus }] : []
  }
  const later = ticks === undefined ? [] : listLaterDescendants(place.pid, ticks)
  return [
    ...(listOwnThreads(place) ?? []).flatMap(thread => hold(thread, isAll)),
    ...later.flatMap(pid => listThreads(pid)).flatMap(thread => hold(thread, false)),
  ]
}

/** Puts back what `listHeld` gives; throws when the kernel refuses it. */
export const putBackAffinity = (
  place: AffinityPlace,
  given: Given,
  options: { isAll: boolean },
): Promise<void> => setThreads(place, () => listHeld(place, given, options))

const listLaterDescendants = (ancestor: number, ticks: number): number[] => {
  const parents = listNumbered('/proc').map(
    pid => [pid, readStat(`/proc/${pid}/stat`)?.field(4) ?? 0] as const,
  )
  const family = new Set([ancestor])
  for (let size = 0; size < family.size; ) {
    size = family.size
    for (const [pid, parent] of parents) if (family.has(parent)) family.add(pid)
  }
  family.delete(ancestor)
  return [...family].filter(pid => (readThread(pid, pid)?.startTime ?? -1) >= ticks)
}
