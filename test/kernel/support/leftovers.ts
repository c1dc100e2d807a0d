import { rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { listLinks, listMaps, listPrograms } from 'libbpf-ts'
import { listServices } from '../../../src/system/services.js'
import { waitFor } from './wait.js'

/**
 * The working directory of every process that a test starts. What they start inherits it, so that none goes unseen:
 * parents die, and some services overwrite their environment.
 */
export const WORKPLACE = await mkdtemp(join(await realpath(tmpdir()), 'taut-test-run-'))
process.once('exit', () => rmSync(WORKPLACE, { recursive: true, force: true }))

/** What a test may change and has to put back. */
type Snapshot = { bpf: Set<string>; netns: string[]; runStats: string }

const RUN_STATS = '/proc/sys/kernel/bpf_stats_enabled'
const NETNS_FOLDER = '/run/netns'

/** Notes what is there before the tests. */
export const takeSnapshot = async (): Promise<Snapshot> => ({
  bpf: new Set(listBpf()),
  netns: await listNetns(),
  runStats: await readFile(RUN_STATS, 'utf8'),
})

/** The BPF programs, links and maps that the kernel has, each as text. */
export const listBpf = (): string[] => [
  ...listPrograms()
    .filter(isOurs)
    .map(({ id, type, name }) => `program ${id} ${type} ${name}`),
  ...listMaps()
    .filter(isOurs)
    .map(({ id, type, name }) => `map ${id} ${type} ${name}`),
  ...listLinks().map(({ id, type, programId }) => `link ${id} ${type} of program ${programId}`),
]

/** systemd loads and unloads its own, `sd_…`, at any time. */
const isOurs = ({ name }: { name: string }): boolean => !name.startsWith('sd_')

/** Waits until everything of BPF that was not there before is gone, for the kernel frees it in its own time. */
export const waitUntilBpfIsGone = async (before: ReadonlySet<string>): Promise<void> => {
  let left: string[] = []
  const isClean = () => {
    left = listBpf().filter(item => !before.has(item))
    return left.length === 0 ? true : null
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
  leftovers.push(...netns.filter(name => !before.netns.includes(name)).map(name => `namespace ${name}`))
  const strays = await listStrays()
  leftovers.push(...strays.map(({ pid, program }) => `process ${pid} ${program}`))
  const services = await listServices()
  leftovers.push(
    ...services
      .filter(service => service.pids.some(holder => strays.some(({ pid }) => pid === holder)))
      .map(({ comm, port }) => `listening socket of ${comm} on port ${port}`),
  )
  if ((await readFile(RUN_STATS, 'utf8')) !== before.runStats) leftovers.push(`${RUN_STATS} has changed`)
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
