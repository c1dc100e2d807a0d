import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Context } from '../kernel/support/kernel-test.js'
import { createNetnsPair } from '../kernel/support/netns.js'
import { listCpus, pinProcess } from '../kernel/support/scheduler.js'

export { listCpus, pinProcess, readRunDelay } from '../kernel/support/scheduler.js'

const run = promisify(execFile)

/** The interface at either end of the virtual wire. */
export const WIRE = 'wire'

/** Two network namespaces with a virtual wire between them, and the CPUs to use. */
export type World = {
  t: Context
  server: string
  client: string
  /** The server's address. */
  host: string
  /** The load client, taut and this program run here. */
  clientCpu: number
  /** Nothing else of the test runs here but the service, and what is to get in its way. */
  serviceCpu: number
}

/** Makes the namespaces, and moves this process and all that it will start to the client's CPU. */
export const createWorld = async (t: Context): Promise<World> => {
  const [clientCpu = 0, serviceCpu = 0] = listCpus()
  await pinProcess(process.pid, clientCpu)
  const { server, client, ipv4 } = await createNetnsPair(t)
  return { t, server, client, host: ipv4, clientCpu, serviceCpu }
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

/** Gives what the hypervisor took from the machine's CPUs, in nanoseconds; the kernel counts it in hundredths of a second. */
export const readStolen = async (): Promise<number> => {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n', 1)
  return Number(line.trim().split(/\s+/)[8]) * 1e7
}
