import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { formatCpuList } from '../../system/cpu-list.js'
import { listThreads, readThread, type Thread } from '../../system/threads.js'

const run = promisify(execFile)
const id = v.pipe(v.number(), v.integer(), v.minValue(1))

/**
 * The CPUs that the threads of a process may run on. The value is a list of CPUs, that of the first thread, and then
 * the threads that differ from it: `0-3 812@5120=1` is a thread by its id and the time it began, in clock ticks. A
 * thread that is in no value has the first thread's: threads begin where their parents are.
 */
export const affinityPlace = v.strictObject({
  kind: v.literal('affinity'),
  pid: id,
  /** In clock ticks since boot: another process may get the id. */
  startTime: v.pipe(v.number(), v.integer(), v.minValue(0)),
  comm: v.pipe(v.string(), v.maxLength(64)),
})

type AffinityPlace = v.InferOutput<typeof affinityPlace>

/** Gives the place of a process's CPUs, null when it is gone. */
export const findAffinityPlace = (pid: number): AffinityPlace | null => {
  const first = readThread(pid, pid)
  return first === null ? null : { kind: 'affinity', pid, startTime: first.startTime, comm: first.comm }
}

export const readAffinity = (place: AffinityPlace): string | null => {
  const threads = listOwnThreads(place)?.map(thread => ({ ...thread, cpus: formatCpuList(thread.cpus) }))
  const first = threads?.find(({ tid }) => tid === place.pid)
  if (threads === undefined || first === undefined) return null
  const others = threads.filter(({ cpus }) => cpus !== first.cpus)
  return [first.cpus, ...others.map(({ tid, startTime, cpus }) => `${tid}@${startTime}=${cpus}`)].join(' ')
}

/** Threads that begin meanwhile may have their parent's CPUs of before: looks until there is no new one. */
export const writeAffinity = async (place: AffinityPlace, value: string): Promise<void> => {
  const [first = '', ...others] = value.split(' ')
  const own = new Map(others.map(other => other.split('=') as [string, string]))
  const seen = new Set<string>()
  for (;;) {
    const threads = listOwnThreads(place)
    if (threads === undefined) throw new Error('the process is gone')
    const fresh = threads.filter(({ tid, startTime }) => !seen.has(`${tid}@${startTime}`))
    if (fresh.length === 0) return
    for (const { tid, startTime } of fresh) {
      const key = `${tid}@${startTime}`
      seen.add(key)
      await setThread(tid, own.get(key) ?? first)
    }
  }
}

const setThread = async (tid: number, cpus: string): Promise<void> => {
  try {
    await run('taskset', ['-pc', cpus, String(tid)])
  } catch (error) {
    // A thread that has ended needs no CPU.
    if (readThread(tid, tid) === null) return
    throw error
  }
}

const listOwnThreads = ({ pid, startTime }: AffinityPlace): Thread[] | undefined =>
  readThread(pid, pid)?.startTime === startTime ? listThreads(pid) : undefined
