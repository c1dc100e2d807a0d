import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { listNumbered } from './files.js'
import { readStat } from './stat.js'

/** A process's time on CPUs since it began, in the kernel's ticks, and the CPU it was on last. */
export type ProcessTimes = { pid: number; comm: string; ticks: number; cpu: number }

/** Gives them of every process that can be seen. */
export const readProcessTimes = (proc = '/proc'): ProcessTimes[] =>
  listNumbered(proc).flatMap(pid => {
    const stat = readStat(join(proc, `${pid}/stat`))
    if (stat === null) return []
    const [user, system, cpu] = [stat.field(14), stat.field(15), stat.field(39)]
    const ticks = user + system
    return Number.isSafeInteger(ticks) && Number.isSafeInteger(cpu)
      ? { pid, comm: printable(stat.comm), ticks, cpu }
      : []
  })

/** Gives the time on CPUs of each thread of a process, in the kernel's ticks, by its number; none when it is gone. */
export const readThreadTicks = (pid: number, proc = '/proc'): Map<number, number> =>
  new Map(
    listNumbered(join(proc, `${pid}/task`)).flatMap(tid => {
      const stat = readStat(join(proc, `${pid}/task/${tid}/stat`))
      const ticks = stat === null ? Number.NaN : stat.field(14) + stat.field(15)
      return Number.isSafeInteger(ticks) ? [[tid, ticks] as const] : []
    }),
  )
