import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Context } from '../kernel/support/kernel-test.js'
import { connectFirst, type Load } from '../kernel/support/load.js'
import { createNetnsPair } from '../kernel/support/netns.js'
import { listCpus, pinProcess, readOwnCpus } from '../kernel/support/scheduler.js'

const run = promisify(execFile)

/** The interface at either end of the virtual wire. */
export const WIRE = 'wire'

/** Where the service runs. */
export type Machine = {
  t: Context
  /** The network namespace of the service, which has the wire. */
  server: string
  /** The server's address. */
  host: string
  /** Taut and this program run here, and the load client if it is on this machine. */
  clientCpu: number
  /** Nothing else of the test runs here but the service, and what is to get in its way. */
  serviceCpu: number
  /** Opens the client's connections, and gives the function that sends the requests and waits for the last answer. */
  connectClient: (load: Load) => Promise<() => Promise<unknown>>
}

/** Two network namespaces with a virtual wire between them, and the CPUs to use. */
export type World = Machine & { client: string }

/** Makes the namespaces, and has this process and all that it starts meanwhile on the client's CPU. */
export const createWorld = async (t: Context): Promise<World> => {
  const [clientCpu = 0, serviceCpu = 0] = listCpus()
  const before = await readOwnCpus()
  t.teardown(() => pinProcess(process.pid, before))
  await pinProcess(process.pid, clientCpu)
  const { server, client, ipv4 } = await createNetnsPair(t)
  const connectClient = (load: Load) => connectFirst(t, load, client)
  return { t, server, client, host: ipv4, clientCpu, serviceCpu, connectClient }
}

/** Runs a command in a network namespace. */
export const runIn = async (
  netns: string,
  program: string,
  ...args: readonly (string | number)[]
): Promise<void> => {
  await run('ip', ['netns', 'exec', netns, program, ...args.map(String)])
}

/** Has all packets that come in by the wire taken up by protocols on one CPU (RPS). */
export const steerTo = async (netns: string, cpu: number): Promise<void> => {
  // In groups of 32 bits.
  const mask = (1n << BigInt(cpu)).toString(16).replace(/\B(?=(.{8})+$)/g, ',')
  await runIn(netns, 'sh', '-c', `echo ${mask} > /sys/class/net/${WIRE}/queues/rx-0/rps_cpus`)
}
