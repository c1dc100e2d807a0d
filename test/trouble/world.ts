import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listThreads } from '../../src/system/threads.js'
import { KVLOAD } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import type { Context } from '../kernel/support/kernel-test.js'
import { listArguments } from '../kernel/support/load.js'
import { createNetns, createNetnsPair } from '../kernel/support/netns.js'
import { endProcess, type Running, startProcess } from '../kernel/support/processes.js'
import { type Service, startMemcached, startServiceAt } from '../kernel/support/services.js'
import { takeSettings } from '../kernel/support/settings.js'
import { TAUT } from '../kernel/support/taut.js'

const run = promisify(execFile)

const WIRE = 'wire'
const HUGE_PAGES = '/sys/kernel/mm/transparent_hugepage/enabled'
const CONNECTIONS = 16
/** Of fewer requests the 99th percentile says little. */
const REQUESTS_FOR_P99 = 6000

/** A service behind a virtual wire, its clients on CPU 0 at the other end, and what may be set wrong of it. */
export type World = {
  service: Service
  /** Starts what belongs to somebody else, on a CPU. */
  startNeighbour: (cpu: number) => Promise<void>
  /** The same, that has the kernel receive packets there all the time. */
  startReceiver: (cpu: number) => Promise<void>
  pinService: (cpus: string) => Promise<void>
  steer: (mask: string) => Promise<void>
  /** The whole machine's, which gets back what it had. */
  giveHugePages: (to: string) => Promise<void>
  /** All that a trouble may set, to be restored. */
  settings: () => Promise<string>
  /** All that taut may set, for comparison. */
  everything: () => Promise<string>
  restore: (settings: string) => Promise<void>
  /** Starts taut in the service's namespace with its own state folder; the load is the test's to start. */
  startTaut: (...args: string[]) => Promise<Running>
  startLoad: (seconds: number) => Promise<Running>
  /** The lock of that folder. */
  lock: string
  /** Runs `taut tune`, with the load running, and gives what it printed as JSON. */
  tune: () => Promise<TuneDocument>
  /** The 99th percentile in microseconds by the clients' own clock, over two seconds or more. */
  measureP99: () => Promise<number>
}

/** What is used of what tune prints. */
export type TuneDocument = {
  trials: { rule: string; knob: string; to: string; why: string; decision: string; reason: string }[]
  kept: { knob: string; to: string }[]
}

/** What answers, how many requests a second it gets, and for how long it is tuned; the default is three minutes. */
export type Kind = {
  start: (t: Context, host: string, netns: string) => Promise<Service>
  rate: number
  time?: string
}

const MEMCACHED: Kind = {
  start: (t, host, netns) => startMemcached(t, ['-t', '2'], { host, netns }),
  rate: 6000,
  time: '60s',
}

/** A service that takes new memory for each request, uses a little of it here and there, and gives it back. */
export const WITH_ARENA: Kind = {
  start: (t, host, netns) => startServiceAt(t, { host, netns }, '--arena-mb', 24),
  rate: 300,
}

/** Makes it; all of it goes with the test. */
export const createWorld = async (t: Context, { start, rate, time }: Kind = MEMCACHED): Promise<World> => {
  const { server, client, ipv4 } = await createNetnsPair(t)
  const service = await start(t, ipv4, server)
  const folder = await createFolder(t)
  const load = { host: ipv4, port: service.port, connections: CONNECTIONS, rate }
  const inServer = async (program: string, ...args: string[]): Promise<string> =>
    (await run('ip', ['netns', 'exec', server, program, ...args])).stdout
  const startLoad = (seconds: number): Promise<Running> =>
    startProcess(
      t,
      KVLOAD,
      [...listArguments({ ...load, requests: rate * seconds, timeout: seconds + 60 })],
      {
        netns: client,
        cpu: 0,
      },
    )
  const rpsFile = `/sys/class/net/${WIRE}/queues/rx-0/rps_cpus`
  const pinService = async (cpus: string): Promise<void> => {
    await run('taskset', ['-apc', cpus, String(service.pid)])
  }
  const steer = async (mask: string): Promise<void> => {
    const file = join(folder, 'mask')
    await writeFile(file, mask)
    await inServer('cp', '--no-preserve=all', file, rpsFile)
  }
  const readHugePages = async (): Promise<string> =>
    /\[(\w+)\]/.exec(await readFile(HUGE_PAGES, 'utf8'))?.[1] ?? ''
  const hugePagesBefore = await readHugePages()
  const giveHugePages = async (to: string): Promise<void> => {
    if (to === (await readHugePages())) return
    t.teardown(() => writeFile(HUGE_PAGES, hugePagesBefore))
    await writeFile(HUGE_PAGES, to)
  }
  const startTaut = (...args: string[]): Promise<Running> =>
    startProcess(t, process.execPath, [TAUT, ...args], {
      netns: server,
      env: { TAUT_STATE: join(folder, 'state') },
    })
  const startOn = async (cpu: number, program: string, args: (string | number)[], netns?: string) => {
    await startProcess(t, program, args, { cpu, netns })
  }
  return {
    service,
    startNeighbour: cpu => startOn(cpu, 'sh', ['-c', 'while :; do :; done']),
    startReceiver: async cpu => {
      const netns = await createNetns(t)
      const other = await startMemcached(t, ['-t', '1'], { netns })
      await run('taskset', ['-apc', String(cpu), String(other.pid)])
      const { port } = other
      const args = listArguments({ port, connections: 8, requests: 1e9, timeout: 3600 })
      await startOn(cpu, KVLOAD, args, netns)
    },
    pinService,
    steer,
    giveHugePages,
    startTaut,
    startLoad,
    lock: join(folder, 'state', 'lock'),
    settings: async () => {
      const cpus = [...new Set(listThreads(service.pid).map(thread => thread.cpus.join()))]
      return JSON.stringify({
        cpus: cpus.join(' '),
        mask: (await inServer('cat', rpsFile)).trim(),
        hugePages: await readHugePages(),
      })
    },
    everything: () => takeSettings(server, [service.pid]),
    restore: async settings => {
      const { cpus, mask, hugePages } = JSON.parse(settings)
      await pinService(cpus)
      await steer(mask)
      await giveHugePages(hugePages)
    },
    tune: async () => {
      const clients = await startLoad(600)
      const forTime = time === undefined ? [] : ['--for', time]
      const tuning = await startTaut('tune', '--port', String(service.port), ...forTime, '--json')
      const { code, stdout, stderr } = await tuning.ended
      await endProcess(clients)
      if (code !== 0) throw new Error(`taut tune ended with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
    measureP99: async () => {
      const { code, stdout, stderr } = await (await startLoad(Math.max(2, REQUESTS_FOR_P99 / rate))).ended
      if (code !== 0) throw new Error(`the client failed: ${stderr}`)
      return JSON.parse(stdout).p99_us
    },
  }
}
