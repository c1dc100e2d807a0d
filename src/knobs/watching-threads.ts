import { parseCpuList } from '../system/cpu-list.js'
import { readText } from '../system/files.js'
import { readStat } from '../system/stat.js'
import { listThreads } from '../system/threads.js'
import type { Effect } from './knob.js'
import { noEffect, watchFor } from './watching.js'

/** A thread, the CPU that it ran on last, and how often it has come off one. */
type Run = { tid: number; cpu: number; switches: number }

const readRuns = (pid: number): Run[] =>
  listThreads(pid).flatMap(({ tid }) => {
    const folder = `/proc/${pid}/task/${tid}`
    const cpu = readStat(`${folder}/stat`)?.field(39)
    const status = readText(`${folder}/status`) ?? ''
    const counts = [...status.matchAll(/^(?:non)?voluntary_ctxt_switches:\s*(\d+)$/gm)]
    const switches = counts.reduce((sum, [, count]) => sum + Number(count), 0)
    return cpu === undefined ? [] : [{ tid, cpu, switches }]
  })

/**
 * Looks where the threads of a process run that were given CPUs, for a second: all of them have run there; one has run elsewhere
 * since; or some did not run.
 */
export const watchThreads = (pid: number, to: string): Promise<Effect> => {
  const cpus = parseCpuList(to)
  const before = new Map(readRuns(pid).map(({ tid, switches }) => [tid, switches]))
  const listElsewhere = (runs: readonly Run[]): Run[] => runs.filter(({ cpu }) => !cpus.includes(cpu))
  const describe = (count: number): string => `${count} of its threads ran on CPU ${to}`
  return watchFor(
    () => {
      const runs = readRuns(pid)
      return runs.length > 0 && listElsewhere(runs).length === 0
        ? { state: 'verified', evidence: describe(runs.length) }
        : null
    },
    () => {
      const runs = readRuns(pid)
      const elsewhere = listElsewhere(runs)
      const stray = elsewhere.find(({ tid, switches }) => switches > (before.get(tid) ?? 0))
      if (stray !== undefined) return noEffect(`thread ${stray.tid} ran on CPU ${stray.cpu}`)
      return {
        state: 'written',
        evidence: `${describe(runs.length - elsewhere.length)}, the other ${elsewhere.length} did not run meanwhile`,
      }
    },
  )
}
