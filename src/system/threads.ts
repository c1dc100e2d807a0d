import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { parseCpuList } from './cpu-list.js'
import { listNumbered, readText } from './files.js'
import { listOwnNames } from './own-devices.js'
import { readStat } from './stat.js'

/**
 * A thread. `startTime` is in clock ticks since boot: with the number it names one thread for good, since numbers are
 * used again. `cpus` are those that it may run on.
 */
export type Thread = { tid: number; comm: string; startTime: number; cpus: number[] }

/** PF_KTHREAD of the kernel's sched.h. */
const KERNEL_THREAD = 0x0020_0000
/** The kernel keeps so much of a thread's name; since 5.17 it shows a kernel thread's in full. */
export const MAX_COMM = 15

/** Gives a process's threads, by number; none when it is gone. */
export const listThreads = (pid: number, proc = '/proc'): Thread[] =>
  listNumbered(join(proc, `${pid}/task`)).flatMap(tid => readThread(pid, tid, proc) ?? [])

/** Gives one thread of a process; null when it is gone. */
export const readThread = (pid: number, tid: number, proc = '/proc'): Thread | null => {
  const folder = join(proc, `${pid}/task/${tid}`)
  const stat = readThreadStat(join(folder, 'stat'))
  const list = /^Cpus_allowed_list:[ \t]*(\S*)$/m.exec(readText(join(folder, 'status')) ?? '')?.[1]
  if (stat === null || list === undefined) return null
  // The kernel's own list: parseCpuList refuses none of them.
  return { tid, comm: printable(stat.comm), startTime: stat.startTime, cpus: parseCpuList(list) }
}

/**
 * Gives the kernel's threads that poll for a network device when its `threaded` is set, named `napi/<device>-<NAPI
 * id>`.
 *
 * Network namespaces can each have a device of one name, and their threads can't be told apart. Kernels before 5.17
 * cut long names; where that leaves open which device of this namespace is meant, there are none.
 */
export const listNapiThreads = (nic: string, proc = '/proc'): Thread[] => {
  const isOwn = createNapiFilter(nic, proc)
  return listNumbered(proc).flatMap(pid => {
    const stat = readThreadStat(join(proc, `${pid}/stat`))
    // Any program can take such a name, but not be a thread of the kernel.
    if (stat === null || !(stat.flags & KERNEL_THREAD) || !isOwn(stat.comm)) return []
    return readThread(pid, pid, proc) ?? []
  })
}

const createNapiFilter = (nic: string, proc: string): ((comm: string) => boolean) => {
  const prefix = `napi/${nic}-`
  const cut = prefix.slice(0, MAX_COMM)
  const isWhole = (comm: string): boolean =>
    comm.startsWith(prefix) && /^\d*$/.test(comm.slice(prefix.length))
  // With the hyphen it is whole enough to know the device by.
  if (cut === prefix) return isWhole
  const others = listOwnNames(proc).filter(name => name !== nic)
  const isAmbiguous = others.some(name => `napi/${name}-`.startsWith(cut))
  return comm => isWhole(comm) || (comm === cut && !isAmbiguous)
}

type ThreadStat = { comm: string; flags: number; startTime: number }

const readThreadStat = (path: string): ThreadStat | null => {
  const stat = readStat(path)
  if (stat === null) return null
  const [flags, startTime] = [stat.field(9), stat.field(22)]
  return Number.isSafeInteger(flags) && Number.isSafeInteger(startTime)
    ? { comm: stat.comm, flags, startTime }
    : null
}
