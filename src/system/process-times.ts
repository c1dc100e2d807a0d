import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { listNumbered, readText } from './files.js'

/** A process's time on CPUs since it began, in the kernel's ticks, and the CPU it was on last. */
export type ProcessTimes = { pid: number; comm: string; ticks: number; cpu: number }

/** The fields behind the name, of which the third of stat(5) is the first: utime, stime, processor. */
const [UTIME, STIME, PROCESSOR] = [11, 12, 36]

/** Gives them of every process that can be seen. */
export const readProcessTimes = (proc = '/proc'): ProcessTimes[] =>
  listNumbered(proc).flatMap(pid => {
    const stat = readText(join(proc, `${pid}/stat`)) ?? ''
    // The name is in parentheses, and may hold some itself.
    const end = stat.lastIndexOf(')')
    if (end < 0) return []
    const fields = stat.slice(end + 2).split(' ')
    const ticks = Number(fields[UTIME]) + Number(fields[STIME])
    const cpu = Number(fields[PROCESSOR])
    const comm = printable(stat.slice(stat.indexOf('(') + 1, end))
    return Number.isSafeInteger(ticks) && Number.isSafeInteger(cpu) ? { pid, comm, ticks, cpu } : []
  })
