import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { formatCpuList } from '../../system/cpu-list.js'
import { listNumbered } from '../../system/files.js'
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

export type AffinityPlace = v.InferOutput<typeof affinityPlace>

/** Names a thread for good, where its number alone is used again. */
export const threadKey = ({ tid, startTime }: Pick<Thread, 'tid' | 'startTime'>): string =>
  `${tid}@${startTime}`

/** Gives the CPUs that a value has for a thread by its key. */
export const parseAffinity = (value: string): ((key: string) => string) => {
  const [first = '', ...others] = value.split(' ')
  const own = new Map(others.map(other => other.split('=') as [string, string]))
  return key => own.get(key) ?? first
}

/** Tells whether two values are the same for all threads that have not ended: of the others there is nothing to compare. */
export const isSameAffinity = (place: AffinityPlace, a: string, b: string): boolean => {
  const [cpusOfA, cpusOfB] = [parseAffinity(a), parseAffinity(b)]
  const others = `${a} ${b}`.matchAll(/ (\d+)@(\d+)=/g)
  const alive = Array.from(others, ([, tid, startTime]) => ({
    tid: Number(tid),
    startTime: Number(startTime),
  }))
    .filter(({ tid, startTime }) => readThread(place.pid, tid)?.startTime === startTime)
    .map(threadKey)
  return ['', ...alive].every(key => cpusOfA(key) === cpusOfB(key))
}

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
  return [first.cpus, ...others.map(thread => `${threadKey(thread)}=${thread.cpus}`)].join(' ')
}

/** Threads that begin meanwhile may have their parent's CPUs of before: looks until there is no new one. */
export const writeAffinity = async (place: AffinityPlace, value: string): Promise<void> => {
  const cpusOf = parseAffinity(value)
  await setThreads(place, () => {
    const threads = listOwnThreads(place)
    if (threads === undefined) throw new Error('the process is gone')
    return threads.map(thread => ({ thread, cpus: cpusOf(threadKey(thread)) }))
  })
}

/**
 * Gives threads the CPUs that `list` says, each once, until it names no new one. All of a process that get the same have it at
 * once: there may be hundreds, and each would take a process of its own.
 */
export const setThreads = async (
  { pid }: AffinityPlace,
  list: () => { thread: Thread; cpus: string }[],
): Promise<void> => {
  const seen = new Set<string>()
  for (;;) {
    const fresh = list().filter(({ thread }) => !seen.has(threadKey(thread)))
    if (fresh.length === 0) return
    const cpusOf = new Map(fresh.map(({ thread, cpus }) => [thread.tid, cpus]))
    const own = listNumbered(`/proc/${pid}/task`)
    const common = cpusOf.get(pid)
    const isForAll = common !== undefined && own.length > 1 && own.every(tid => cpusOf.get(tid) === common)
    const done = new Set(isForAll && (await setAllThreads(pid, own, common)) ? own : [])
    for (const { thread, cpus } of fresh) {
      seen.add(threadKey(thread))
      if (!done.has(thread.tid)) await setThread(thread.tid, cpus)
    }
  }
}

/** Tells whether all have them: some versions of taskset give up at a thread that ends meanwhile, and then each is to be set. */
const setAllThreads = async (pid: number, tids: readonly number[], cpus: string): Promise<boolean> => {
  try {
    await run('taskset', ['-apc', cpus, String(pid)])
    return true
  } catch (error) {
    const now = new Set(listNumbered(`/proc/${pid}/task`))
    if (tids.every(tid => now.has(tid))) throw error
    return false
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

/** Gives the threads of the process, undefined when it is gone. */
export const listOwnThreads = ({ pid, startTime }: AffinityPlace): Thread[] | undefined =>
  readThread(pid, pid)?.startTime === startTime ? listThreads(pid) : undefined
