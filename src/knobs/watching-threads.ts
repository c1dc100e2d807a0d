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
 * Looks where the threads of a process run that were given CPUs, for a second: all are there; those that have run since are, and the
 * others have not; one has run elsewhere since; or none has run.
 */
export const watchThreads = (pid: number, to: string, signal: AbortSignal): Promise<Effect> => {
  const cpus = parseCpuList(to)
  const before = new Map(readRuns(pid).map(({ tid, switches }) => [tid, switches]))
  const isThere = ({ cpu }: Run): boolean => cpus.includes(cpu)
  const hasRun = ({ tid, switches }: Run): boolean => switches > (before.get(tid) ?? 0)
  return watchFor(
    () => {
      const runs = readRuns(pid)
      return runs.length > 0 && runs.every(isThere)
        ? { state: 'verified', evidence: `all ${runs.length} threads are on CPU ${to}` }
        : null
    },
    () => {
      const runs = readRuns(pid)
      const since = runs.filter(hasRun)
      const stray = since.find(run => !isThere(run))
      if (stray !== undefined) return noEffect(`thread ${stray.tid} ran on CPU ${stray.cpu}`)
      if (since.length === 0) return { state: 'written', evidence: 'it reads back; no thread ran meanwhile' }
      return {
        state: 'verified',
        evidence: `${since.length} of ${runs.length} threads ran on CPU ${to}, the others did not run meanwhile`,
      }
    },
    signal,
  )
}
