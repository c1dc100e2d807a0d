import { compile, compileProbes, rootPath } from '../kernel/support/fixtures.js'
import { endProcess, type Running, startProcess, waitForOutput } from '../kernel/support/processes.js'
import { RATE } from './injection.js'
import type { Attachment } from './programs/attach.js'
import type { Machine, World } from './world.js'

const SOURCES = rootPath('test/attribution/programs')
const BUILT = rootPath('dist/test/attribution/programs')
const DELAY = `${BUILT}/delay.bpf.o`

/** Compiles the programs that delay. */
export const buildPrograms = async (): Promise<void> => {
  for (const name of ['burst', 'hold']) await compile(`${SOURCES}/${name}.c`, `${BUILT}/${name}`)
  await compileProbes(DELAY, `${SOURCES}/delay.bpf.c`)
}

/** What delays: `end` ends it, and gives what it added up by its own clock. */
export type Delayer = { end: () => Promise<{ sumNs: bigint; times: number }> }

/** A program of the BPF object, and where it goes. */
export type Place = Attachment['places'][number]

/** Loads BPF programs that delay, and attaches them in a network namespace. */
export const attachDelays = async (
  { t, serviceCpu }: Pick<Machine, 't' | 'serviceCpu'>,
  netns: string,
  { port, delayUs, irq = 0 }: { port: number; delayUs: number; irq?: number },
  ...places: Place[]
): Promise<Delayer> => {
  const times = { delayNs: Math.round(delayUs * 1000), intervalNs: Math.round(1e9 / RATE) }
  const attachment: Attachment = { object: DELAY, port, serviceCpu, irq, ...times, places }
  const args = [`${BUILT}/attach.js`, JSON.stringify(attachment)]
  return createDelayer(await startProcess(t, process.execPath, args, { netns }))
}

/** Starts the real-time task that takes the service's CPU for so long when a request comes in. */
export const startBursts = async (
  { t, server, serviceCpu }: Machine,
  { device, port, burstUs }: { device: string; port: number; burstUs: number },
): Promise<Delayer> => {
  const args = [device, port, serviceCpu, burstUs]
  return createDelayer(await startProcess(t, `${BUILT}/burst`, args, { netns: server }))
}

/** Starts the real-time task that sends itself datagrams over the client's loopback, on a CPU, after pauses of so long. */
export const startHolding = async (
  { t, client }: World,
  { cpu, pauseUs }: { cpu: number; pauseUs: number },
): Promise<{ end: () => Promise<void> }> => {
  const running = await startProcess(t, `${BUILT}/hold`, [cpu, pauseUs], { netns: client })
  await waitForOutput(running, /^ready\n/)
  const end = async (): Promise<void> => {
    await endProcess(running)
  }
  return { end }
}

const createDelayer = async (running: Running): Promise<Delayer> => {
  await waitForOutput(running, /^ready\n/)
  return {
    end: async () => {
      const { code, stdout, stderr } = await endProcess(running)
      if (code !== 0) throw new Error(`the delaying program failed: ${stderr}`)
      const { sum_ns, times } = JSON.parse(stdout.slice('ready\n'.length))
      return { sumNs: BigInt(sum_ns), times }
    },
  }
}
