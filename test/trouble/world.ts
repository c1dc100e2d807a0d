import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { attachDelays, buildPrograms } from '../attribution/programs.js'
import { steerTo } from '../attribution/world.js'
import { KVLOAD } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import type { Context } from '../kernel/support/kernel-test.js'
import { listArguments } from '../kernel/support/load.js'
import { createNetns, createNetnsPair, writeSettings } from '../kernel/support/netns.js'
import { endProcess, type Running, startProcess } from '../kernel/support/processes.js'
import { listCpus } from '../kernel/support/scheduler.js'
import { type Service, startMemcached, startServiceAt } from '../kernel/support/services.js'
import { takeSettings } from '../kernel/support/settings.js'
import { TAUT } from '../kernel/support/taut.js'
import { restoreSettings } from './restore.js'

const run = promisify(execFile)

const WIRE = 'wire'
const HUGE_PAGES = '/sys/kernel/mm/transparent_hugepage/enabled'
const AUTOGROUP = '/proc/sys/kernel/sched_autogroup_enabled'
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
  /** Keeps the CPUs from sleeping: it takes the hypervisor of a virtual machine up to a millisecond to wake one. */
  keepAwake: () => Promise<void>
  /** Traffic of somebody else's, in other network namespaces, whose packets keep a CPU in softirqs for three fifths of the time or more. */
  startForwarding: (cpu: number) => Promise<void>
  pinService: (cpus: string) => Promise<void>
  /** Has RPS hand packets of a queue over; all traffic comes by the first one. */
  steer: (mask: string, queue?: number) => Promise<void>
  /** The whole machine's, which gets back what it had. */
  giveHugePages: (to: string) => Promise<void>
  /** All that taut may set, and what puts all of it back. */
  everything: () => Promise<string>
  restore: (everything: string) => Promise<void>
  /** Starts taut in the service's namespace with its own state folder; the load is the test's to start. */
  startTaut: (...args: string[]) => Promise<Running>
  startLoad: (seconds: number) => Promise<Running>
  /** The lock of that folder. */
  lock: string
  /** Runs `taut tune`, with the load running, and gives what it printed as JSON. */
  tune: (...args: string[]) => Promise<TuneDocument>
  /** The 99th percentile in microseconds by the clients' own clock, over two seconds or more. */
  measureP99: () => Promise<number>
}

/** What is used of what tune prints. */
export type TuneDocument = {
  trials: {
    rule: string
    knob: string
    to: string
    why: string
    pairs: number
    goal: { low: number | null; high: number | null } | null
    decision: string
    reason: string
  }[]
  kept: { knob: string; to: string }[]
  before: { p99_us: number } | null
  after: { p99_us: number } | null
}

/** What answers, how many requests a second it gets, and how many queues the wire has. */
export type Kind = {
  start: (t: Context, host: string, netns: string) => Promise<Service>
  rate: number
  queues?: number
}

export const MEMCACHED: Kind = {
  start: (t, host, netns) => startMemcached(t, ['-t', '2'], { host, netns }),
  rate: 6000,
}

/** A service that takes new memory for each request, uses a little of it here and there, and gives it back. */
export const WITH_ARENA: Kind = {
  start: (t, host, netns) => startServiceAt(t, { host, netns }, '--arena-mb', 6),
  rate: 1200,
}

/** A service that computes for so long, about a millisecond, that softirqs get in its way. */
export const COMPUTING: Kind = {
  start: (t, host, netns) => startServiceAt(t, { host, netns }, '--work', 600),
  rate: 300,
}

/**
 * Packets of somebody else's: so many requests a second, each with so much work in the softirq that takes it in. With the service's
 * own work there is just time for all on one CPU: with more, the machine's processes hardly get any, taut's among them.
 */
const FORWARDED = { rate: 1300, delayUs: 500 }

/** Starts a service of somebody else's on a CPU; `ask` has clients in a namespace, on the same one, ask it all the time. */
const startOthers = async (t: Context, cpu: number, netns: string, host = '127.0.0.1') => {
  const { pid, port } = await startMemcached(t, ['-t', '1'], { host, netns })
  await run('taskset', ['-apc', String(cpu), String(pid)])
  const ask = async (client: string, load: { rate?: number } = {}): Promise<void> => {
    const args = listArguments({ host, port, connections: 8, requests: 1e9, timeout: 3600, ...load })
    await startProcess(t, KVLOAD, args, { netns: client, cpu })
  }
  return { port, ask }
}

/**
 * Has CPUs shared out among processes, and not among sessions first (autogroup, sched(7)): a session with a process that never
 * sleeps has its share on a CPU though that process has the lowest priority, and on Linux 6.18 others can get next to nothing beside it.
 */
const shareCpusByProcess = async (t: Context): Promise<void> => {
  const before = await readFile(AUTOGROUP, 'utf8').catch(() => null)
  if (before === null) return
  t.teardown(() => writeFile(AUTOGROUP, before))
  await writeFile(AUTOGROUP, '0')
}

/** The traffic itself is on the last CPU, and RPS hands its packets over. */
const startForwarding = async (t: Context, cpu: number): Promise<void> => {
  await buildPrograms()
  const { server, client, ipv4 } = await createNetnsPair(t)
  const own = Number(listCpus().at(-1))
  const { port, ask } = await startOthers(t, own, server, ipv4)
  const { rate, delayUs } = FORWARDED
  const place = { program: 'delay_request', device: WIRE, hook: 'ingress' } as const
  await attachDelays({ t, serviceCpu: own }, server, { port, delayUs }, place)
  await steerTo(server, cpu)
  await ask(client, { rate })
}

/** Makes it; all of it goes with the test. */
export const createWorld = async (
  t: Context,
  { start, rate, queues = 1 }: Kind = MEMCACHED,
): Promise<World> => {
  const { server, client, ipv4 } = await createNetnsPair(t, queues)
  // Else the sender spreads connections over the queues.
  if (queues > 1) await writeSettings(client, `echo 1 >/sys/class/net/${WIRE}/queues/tx-0/xps_cpus`)
  const service = await start(t, ipv4, server)
  const folder = await createFolder(t)
  const load = { host: ipv4, port: service.port, connections: CONNECTIONS, rate }
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
  const pinService = async (cpus: string): Promise<void> => {
    await run('taskset', ['-apc', cpus, String(service.pid)])
  }
  const steer = (mask: string, queue = 0): Promise<void> =>
    writeSettings(server, `echo ${mask} >/sys/class/net/${WIRE}/queues/rx-${queue}/rps_cpus`)
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
  const startOn = async (cpu: number, program: string, args: (string | number)[]) => {
    await startProcess(t, program, args, { cpu })
  }
  return {
    service,
    startNeighbour: cpu => startOn(cpu, 'sh', ['-c', 'while :; do :; done']),
    startReceiver: async cpu => {
      const netns = await createNetns(t)
      await (await startOthers(t, cpu, netns)).ask(netns)
    },
    keepAwake: async () => {
      await shareCpusByProcess(t)
      for (const cpu of listCpus())
        await startOn(cpu, 'chrt', ['--idle', '0', 'sh', '-c', 'while :; do :; done'])
    },
    startForwarding: cpu => startForwarding(t, cpu),
    pinService,
    steer,
    giveHugePages,
    startTaut,
    startLoad,
    lock: join(folder, 'state', 'lock'),
    everything: () => takeSettings(server, [service.pid]),
    restore: everything => restoreSettings(server, [service.pid], everything),
    tune: async (...args) => {
      const clients = await startLoad(600)
      const tuning = await startTaut(...['tune', '--port', String(service.port), ...args, '--json'])
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
