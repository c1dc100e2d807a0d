import { join } from 'node:path'
import { listThreads } from '../../../src/system/threads.js'
import { KVLOAD } from './fixtures.js'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { listArguments } from './load.js'
import { createNetns } from './netns.js'
import { type Running, startProcess } from './processes.js'
import { pinProcess } from './scheduler.js'
import { type Service, startMemcached, startServiceAt } from './services.js'
import { TAUT } from './taut.js'

/** A service in a namespace of its own, on a CPU that somebody else burns, and under load from the other one. */
type World = {
  service: Service
  cpus: () => string
  /** Starts taut there, with a state folder of its own. */
  startTaut: (...args: string[]) => Promise<Running>
  /** Runs `taut tune` to its end, and gives what it printed. */
  tune: (...args: string[]) => Promise<string>
}

type Kind = {
  start: (t: Context, netns: string) => Promise<Service>
  /** Requests a second; without it as many as are answered. */
  rate?: number
}

/** It computes for so long a request that to be let at it shows in the CPUs' time. */
const COMPUTING: Kind['start'] = (t, netns) =>
  startServiceAt(t, { netns }, '--place', 'app_cpu', '--delay-us', 300)

export const SATURATED: Kind = { start: COMPUTING }
export const STEADY: Kind = { start: COMPUTING, rate: 1000 }
export const MEMCACHED: Kind = { start: (t, netns) => startMemcached(t, ['-t', '2'], { netns }), rate: 3000 }

/** Makes it; all of it goes with the test. */
export const createWorld = async (t: Context, { start, rate }: Kind): Promise<World> => {
  t.timeout(5 * 60_000)
  const netns = await createNetns(t)
  const env = { TAUT_STATE: join(await createFolder(t), 'state') }
  const service = await start(t, netns)
  await pinProcess(service.pid, 1)
  await startProcess(t, 'sh', ['-c', 'while :; do :; done'], { cpu: 1 })
  const load = { port: service.port, connections: 16, requests: 1e9, timeout: 600 }
  await startProcess(t, KVLOAD, listArguments(rate === undefined ? load : { ...load, rate }), {
    netns,
    cpu: 0,
  })
  const startTaut = (...args: string[]): Promise<Running> =>
    startProcess(t, process.execPath, [TAUT, ...args], { netns, env })
  return {
    service,
    cpus: () => [...new Set(listThreads(service.pid).map(thread => thread.cpus.join()))].join(' '),
    startTaut,
    tune: async (...args) => {
      const tuning = await startTaut('tune', '--port', String(service.port), ...args)
      const { code, stdout, stderr } = await tuning.ended
      t.is(code, 0, stderr)
      return stdout
    },
  }
}

export const NEIGHBOUR = 'cpu.app_affinity'
/** With the goal of throughput, a profile has this tried after what the rules found. The machine's own settings are not the test's. */
export const STEERING = 'net.rps'
export const BOTH = ['--goal', 'throughput', '--only', `${NEIGHBOUR},${STEERING}`]
/** As much as it likes: what the service computes, now that it can. */
export const DEAR = ['--allow', 'cpu=+300%', '--allow', 'energy=+300%']

type Ratio = { estimate: number; low: number; high: number }
export type Report = {
  goal: string
  reached: boolean
  trials: {
    knob: string
    decision: string
    reason: string
    goal: Ratio
    guards: Record<string, Ratio>
    cost: { watts: object | null }
  }[]
  left_out: { settings: { knob: string }[]; by: string }[]
  kept: { knob: string }[]
}

export const triedIn = ({ trials }: Report): string[] => [...new Set(trials.map(({ knob }) => knob))]

export const leftOutIn = ({ left_out }: Report): string[] =>
  left_out.flatMap(({ settings, by }) => settings.map(({ knob }) => `${by} ${knob}`))
