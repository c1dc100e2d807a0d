import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { listNumbered } from './files.js'
import { readStat, type Stat } from './stat.js'

/** In the flags of a process, of include/linux/sched.h: a thread of the kernel. */
const PF_KTHREAD = 0x00200000

/**
 * A process's time on CPUs since it began, in the kernel's ticks, and the CPU it was on last. `startTime` is in ticks since boot:
 * with the number it names one process for good, which a name does not, for the kernel's own change theirs with their work.
 */
export type ProcessTimes = {
  pid: number
  comm: string
  /** Who started it, and the session that it belongs to. */
  parent: number
  session: number
  /** Whether it is one of the kernel's own threads, such as ksoftirqd. */
  isKernel: boolean
  startTime: number
  ticks: number
  cpu: number
}

/** A thread's, the same way. */
export type ThreadTimes = { tid: number; ticks: number; cpu: number }

/** Gives them of every process that can be seen. */
export const readProcessTimes = (proc = '/proc'): ProcessTimes[] =>
  listNumbered(proc).flatMap(pid => {
    const stat = readStat(join(proc, `${pid}/stat`))
    if (stat === null) return []
    const times = {
      ...readTimes(stat),
      startTime: stat.field(22),
      parent: stat.field(4),
      session: stat.field(6),
    }
    const flags = stat.field(9)
    return [flags, ...Object.values(times)].every(Number.isSafeInteger)
      ? { pid, comm: printable(stat.comm), isKernel: (flags & PF_KTHREAD) !== 0, ...times }
      : []
  })

/** Gives them of every thread of a process; none when it is gone. */
export const readThreadTimes = (pid: number, proc = '/proc'): ThreadTimes[] =>
  listNumbered(join(proc, `${pid}/task`)).flatMap(tid => {
    const stat = readStat(join(proc, `${pid}/task/${tid}/stat`))
    if (stat === null) return []
    const times = readTimes(stat)
    return Object.values(times).every(Number.isSafeInteger) ? { tid, ...times } : []
  })

const readTimes = ({ field }: Stat) => ({ ticks: field(14) + field(15), cpu: field(39) })
