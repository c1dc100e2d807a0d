import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Moves all threads of a process, and those they will start, to a CPU or a list of them. */
export const pinProcess = async (pid: number, cpus: number | string): Promise<void> => {
  await run('taskset', ['-a', '-c', '-p', String(cpus), String(pid)])
}

/** Gives the CPUs that this process may run on, as the kernel lists them; what it starts may run on the same. */
export const readOwnCpus = async (): Promise<string> =>
  /^Cpus_allowed_list:\s*(\S+)$/m.exec(await readFile('/proc/self/status', 'utf8'))?.[1] ?? ''

/** How long the threads of a process were on a CPU, and ready and had to wait for one, in nanoseconds; and how often they came onto one. */
export type Scheduled = { ranNs: number; waitedNs: number; runs: number }

export const readScheduled = async (pid: number): Promise<Scheduled> => {
  const threads = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(
    threads.map(thread => readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')),
  )
  const sum = (field: number): number => stats.reduce((all, stat) => all + Number(stat.split(' ')[field]), 0)
  return { ranNs: sum(0), waitedNs: sum(1), runs: sum(2) }
}

/** Gives for how long the threads of a process were ready and had to wait for a CPU, in nanoseconds. */
export const readRunDelay = async (pid: number): Promise<number> => (await readScheduled(pid)).waitedNs

/** Gives the processes that a process has started, by its first thread, and that are there still. */
export const listChildren = async (pid: number): Promise<number[]> =>
  (await readFile(`/proc/${pid}/task/${pid}/children`, 'latin1'))
    .trim()
    .split(' ')
    .filter(word => word !== '')
    .map(Number)

/** Gives the same of a process and those it has started, for each of its workers may be one of its own. */
export const readFamilyRunDelay = async (pid: number): Promise<number> => {
  const delays = await Promise.all([pid, ...(await listChildren(pid))].map(readRunDelay))
  return delays.reduce((sum, ns) => sum + ns, 0)
}

/** Gives the CPUs that are online, by their numbers. */
export const listCpus = (): number[] =>
  readFileSync('/sys/devices/system/cpu/online', 'utf8')
    .trim()
    .split(',')
    .flatMap(range => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })

/** Gives what took CPUs away from a process, as far as the kernel tells: others, and the hypervisor; in nanoseconds. */
export const readTaken = async (pid: number): Promise<number> =>
  (await readRunDelay(pid)) + (await readStolen())

/** Gives what the hypervisor took from the machine's CPUs, in nanoseconds; the kernel counts it in hundredths of a second. */
export const readStolen = async (): Promise<number> => {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n', 1)
  return Number(line.trim().split(/\s+/)[8]) * 1e7
}
