import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listThreads } from '../../src/system/threads.js'
import { KVLOAD } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import type { Context } from '../kernel/support/kernel-test.js'
import { listArguments } from '../kernel/support/load.js'
import { createNetns, createNetnsPair } from '../kernel/support/netns.js'
import { endProcess, type Running, startProcess } from '../kernel/support/processes.js'
import { type Service, startMemcached } from '../kernel/support/services.js'
import { TAUT } from '../kernel/support/taut.js'

const run = promisify(execFile)

const WIRE = 'wire'
const RATE = 6000
const CONNECTIONS = 16

/** A service behind a virtual wire, its clients on CPU 0 at the other end, and what may be set wrong of it. */
export type World = {
  service: Service
  /** Starts what belongs to somebody else, on a CPU. */
  startNeighbour: (cpu: number) => Promise<void>
  /** The same, that has the kernel receive packets there all the time. */
  startReceiver: (cpu: number) => Promise<void>
  pinService: (cpus: string) => Promise<void>
  steer: (mask: string) => Promise<void>
  /** All that a trouble may set, for comparison. */
  settings: () => Promise<string>
  restore: (settings: string) => Promise<void>
  /** Starts taut in the service's namespace with its own state folder; the load is the test's to start. */
  startTaut: (...args: string[]) => Promise<Running>
  startLoad: (seconds: number) => Promise<Running>
  /** The lock of that folder. */
  lock: string
  /** Runs `taut tune`, with the load running, and gives what it printed as JSON. */
  tune: () => Promise<TuneDocument>
  /** The 99th percentile in microseconds by the clients' own clock, over two seconds. */
  measureP99: () => Promise<number>
}

/** What is used of what tune prints. */
export type TuneDocument = {
  trials: { rule: string; knob: string; to: string; why: string; decision: string; reason: string }[]
  kept: { knob: string; to: string }[]
}

/** Makes it; all of it goes with the test. */
export const createWorld = async (t: Context): Promise<World> => {
  const { server, client, ipv4 } = await createNetnsPair(t)
  const service = await startMemcached(t, ['-t', '2'], { host: ipv4, netns: server })
  const folder = await createFolder(t)
  const load = { host: ipv4, port: service.port, connections: CONNECTIONS, rate: RATE }
  const inServer = async (program: string, ...args: string[]): Promise<string> =>
    (await run('ip', ['netns', 'exec', server, program, ...args])).stdout
  const startLoad = (seconds: number): Promise<Running> =>
    startProcess(
      t,
      KVLOAD,
      [...listArguments({ ...load, requests: RATE * seconds, timeout: seconds + 60 })],
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
    startTaut,
    startLoad,
    lock: join(folder, 'state', 'lock'),
    settings: async () => {
      const cpus = [...new Set(listThreads(service.pid).map(thread => thread.cpus.join()))]
      return JSON.stringify({ cpus: cpus.join(' '), mask: (await inServer('cat', rpsFile)).trim() })
    },
    restore: async settings => {
      const { cpus, mask } = JSON.parse(settings)
      await pinService(cpus)
      await steer(mask)
    },
    tune: async () => {
      const clients = await startLoad(600)
      const tuning = await startTaut('tune', '--port', String(service.port), '--for', '60s', '--json')
      const { code, stdout, stderr } = await tuning.ended
      await endProcess(clients)
      if (code !== 0) throw new Error(`taut tune ended with ${code}: ${stderr}`)
      return JSON.parse(stdout)
    },
    measureP99: async () => {
      const { code, stdout, stderr } = await (await startLoad(2)).ended
      if (code !== 0) throw new Error(`the client failed: ${stderr}`)
      return JSON.parse(stdout).p99_us
    },
  }
}
