import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { listLinks, listMaps, listPrograms } from 'libbpf-ts'
import { listServices } from '../../../src/system/services.js'
import { readOwnCpus } from './scheduler.js'
import { waitFor } from './wait.js'

/**
 * The working directory of every process that a test starts. What they start inherits it, so that none goes unseen:
 * parents die, and some services overwrite their environment.
 */
export const WORKPLACE = await mkdtemp(join(await realpath(tmpdir()), 'taut-test-run-'))
process.once('exit', () => rmSync(WORKPLACE, { recursive: true, force: true }))

/** What a test may change and has to put back. */
type Snapshot = { bpf: Set<string>; runStats: string; cpus: string }

const RUN_STATS = '/proc/sys/kernel/bpf_stats_enabled'
const NETNS_FOLDER = '/run/netns'

/** What the names of all network namespaces that these tests make begin with. */
export const NETNS_PREFIX = `taut-test-${process.pid}-`

/** Notes what is there before the tests. */
export const takeSnapshot = async (): Promise<Snapshot> => ({
  bpf: new Set(listBpf()),
  runStats: await readFile(RUN_STATS, 'utf8'),
  cpus: await readOwnCpus(),
})

/**
 * The BPF programs, links and maps that the kernel has, each as text, without those that a process holds which the
 * tests did not start: another tool may come and go. What nobody holds and is there still, as if it were pinned, may be
 * the tests' and stays in.
 */
export const listBpf = (): string[] => {
  const objects = [
    ...listPrograms().map(({ id, type, name }) => ({
      key: `prog_id ${id}`,
      text: `program ${id} ${type} ${name}`,
    })),
    ...listMaps().map(({ id, type, name }) => ({ key: `map_id ${id}`, text: `map ${id} ${type} ${name}` })),
    ...listLinks().map(({ id, type, programId }) => ({
      key: `link_id ${id}`,
      text: `link ${id} ${type} of program ${programId}`,
    })),
  ]
  // After the objects, so that each of them that another process made meanwhile is known as its own.
  const foreign = objects.length === 0 ? null : listForeignBpf()
  return objects.filter(({ key, text }) => !foreign?.has(key) && !isSystemd(text)).map(({ text }) => text)
}

/** systemd pins its own, `sd_…`, and takes them away, at any time. */
const isSystemd = (text: string): boolean => / sd_\S*$/.test(text)

/** What other processes hold by a file descriptor, as the kernel shows it in /proc/PID/fdinfo: its kind and its id. */
const listForeignBpf = (): Set<string> => {
  const held = new Set<string>()
  for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    if (Number(pid) === process.pid || read(() => readlinkSync(`/proc/${pid}/cwd`)) === WORKPLACE) continue
    for (const fd of read(() => readdirSync(`/proc/${pid}/fd`)) ?? []) {
      if (!read(() => readlinkSync(`/proc/${pid}/fd/${fd}`))?.startsWith('anon_inode:bpf')) continue
      const info = read(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1')) ?? ''
      for (const [, kind, id] of info.matchAll(/^(prog_id|map_id|link_id):\t(\d+)$/gm))
        held.add(`${kind} ${id}`)
    }
  }
  return held
}

/** Gives nothing where a process or its file has gone meanwhile. */
const read = <T>(look: () => T): T | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Waits until everything of BPF that was not there before is gone, for the kernel frees it in its own time. */
export const waitUntilBpfIsGone = async (before: ReadonlySet<string>): Promise<void> => {
  let left: string[] = []
  const isClean = () => {
    left = listBpf().filter(item => !before.has(item))
    if (left.length === 0) return true
    // Memory of a map that this process has written to lives until it is collected.
    collectGarbage()
    return null
  }
  await waitFor('BPF to be freed', isClean).catch(error => {
    throw new Error(`${error.message}: ${left.join(', ')}`)
  })
}

/** Gives what is different from the snapshot, each as text: nothing, when all was put back. */
export const describeLeftovers = async (before: Snapshot): Promise<string[]> => {
  const leftovers: string[] = []
  await waitUntilBpfIsGone(before.bpf).catch(error => leftovers.push(error.message))
  const netns = await listNetns()
  leftovers.push(...netns.filter(name => name.startsWith(NETNS_PREFIX)).map(name => `namespace ${name}`))
  const strays = await listStrays()
  leftovers.push(...strays.map(({ pid, program }) => `process ${pid} ${program}`))
  const services = await listServices()
  leftovers.push(
    ...services
      .filter(service => service.pids.some(holder => strays.some(({ pid }) => pid === holder)))
      .map(({ comm, port }) => `listening socket of ${comm} on port ${port}`),
  )
  if ((await readFile(RUN_STATS, 'utf8')) !== before.runStats) leftovers.push(`${RUN_STATS} has changed`)
  // Whatever is started next would have no others.
  const cpus = await readOwnCpus()
  if (cpus !== before.cpus) leftovers.push(`the tests run on CPU ${cpus}, no longer on ${before.cpus}`)
  return leftovers
}

const listNetns = (): Promise<string[]> => readdir(NETNS_FOLDER).catch(() => [])

/** Gives the processes that a test started, directly or not, and that run still. */
export const listStrays = async (): Promise<{ pid: number; program: string }[]> => {
  const strays: { pid: number; program: string }[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const folder = await readlink(`/proc/${name}/cwd`).catch(() => null)
    if (folder !== WORKPLACE) continue
    const program = await readlink(`/proc/${name}/exe`).catch(() => 'that has just ended')
    strays.push({ pid: Number(name), program })
  }
  return strays
}
