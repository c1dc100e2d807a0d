import { join } from 'node:path'
import { listNumbered, readText } from './files.js'
import { readStat } from './stat.js'

/** Of sched(7). */
const SCHED_IDLE = 5

/**
 * Gives whether a process takes of the CPUs only what others leave: all of its threads do (SCHED_IDLE), and no CPU time is shared
 * out between it and one of them by groups first, where such threads count for as much as any: they are of the same cgroups, and
 * of one session where sessions are groups (autogroup, sched(7)).
 */
export const givesWayTo = (others: readonly number[], pid: number, proc = '/proc'): boolean => {
  const threads = listNumbered(join(proc, `${pid}/task`))
  const isIdle = (tid: number): boolean =>
    readStat(join(proc, `${pid}/task/${tid}/stat`))?.field(41) === SCHED_IDLE
  const isShared = (file: string): boolean => {
    const own = readText(join(proc, `${pid}/${file}`))
    return others.every(other => readText(join(proc, `${other}/${file}`)) === own)
  }
  const hasAutogroups = readText(join(proc, 'sys/kernel/sched_autogroup_enabled')) === '1'
  return (
    threads.length > 0 &&
    threads.every(isIdle) &&
    isShared('cgroup') &&
    (!hasAutogroups || isShared('autogroup'))
  )
}
