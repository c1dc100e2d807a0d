import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootPath } from './fixtures.js'
import { createFolder } from './folder.js'
import { type Context, kernelTest } from './kernel-test.js'
import { createNetnsPair } from './netns.js'
import { type Ending, type Running, startProcess } from './processes.js'
import { startMemcached } from './services.js'
import { takeSettings } from './settings.js'
import { runTaut, TAUT } from './taut.js'

const run = promisify(execFile)
const BREAKING = rootPath('dist/test/kernel/support/breaking.js')

/**
 * Of all steps, every so manieth is one to be killed or to fail at: with 1, as `npm run test:way-back` has it, each is, which takes
 * half an hour.
 */
export const STRIDE = Number(process.env.TAUT_TEST_STRIDE ?? 3)

/** A step of the apply at which most of the knobs are set. */
export const MIDST = 150

/** Ten knobs, and what each is to become on the wire of a namespace: something else than this machine has. */
const listTen = async (): Promise<string[]> => {
  const isThpOff = (await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8')).includes('[never]')
  const isTimerFixed = (await readFile('/proc/sys/kernel/timer_migration', 'utf8')) === '0\n'
  return [
    'nic.offload.gro=on',
    'net.threaded_napi=first',
    'net.rps=all',
    'net.xps=all',
    'net.gro_flush_timeout=20000',
    'net.napi_defer_hard_irqs=10',
    'cpu.app_affinity=first',
    'cpu.idle_latency=500',
    `kernel.timer_migration=${isTimerFixed ? 1 : 0}`,
    `vm.thp=${isThpOff ? 'madvise' : 'never'}`,
  ]
}

/** One knob, on the wire. */
export const RPS = ['apply', '--set', 'net.rps=all', '--nic', 'wide', '--yes']
/** What it sets. */
export const RPS_FILE = '/sys/class/net/wide/queues/rx-0/rps_cpus'

/** What is to break taut, as breaking.ts takes it. */
export type Breaking = {
  way: string
  at: number
  steps?: 'knobs'
  afterwards?: 'unreadable' | 'full'
  /** How many steps after that it is killed. */
  killAfter?: number
  /** The step of its guard at which that is killed. */
  guardAt?: number
}

/** A namespace with a service and a wire with two queues, and taut's own state for it. */
export type World = {
  t: Context
  netns: string
  state: string
  service: Running
  /** Ten knobs, each with its value as `--set` takes it. */
  ten: string[]
  /** The arguments that set them, by a profile. */
  apply: string[]
  /** The environment of taut. */
  env: Record<string, string>
  /** The options of Node.js by which it breaks, or tells of its steps. */
  breaking: string
  settings: () => Promise<string>
  taut: (...args: string[]) => Promise<Ending>
  /** Starts taut, which breaks at a step. */
  startBroken: (breaking: Breaking, ...args: string[]) => Promise<Running>
  /** The same to its end; tells whether it came to that step. */
  broken: (breaking: Breaking, ...args: string[]) => Promise<Ending & { isStruck: boolean }>
  /** Runs a shell's command in the namespace, and gives what it prints. */
  sh: (command: string) => Promise<string>
}

const createWorld = async (t: Context): Promise<World> => {
  const { server: netns } = await createNetnsPair(t)
  // A wire of several queues: on one queue there is nothing to steer by.
  const link = ['link', 'add', 'wide', 'numtxqueues', '2', 'numrxqueues', '2', 'type', 'veth']
  await run('ip', ['-n', netns, ...link, 'peer', 'name', 'far', 'numtxqueues', '2', 'numrxqueues', '2'])
  for (const name of ['wide', 'far']) await run('ip', ['-n', netns, 'link', 'set', name, 'up'])
  const folder = await createFolder(t)
  const state = join(folder, 'state')
  const service = await startMemcached(t, ['-t', '2'], { netns })
  const env: Record<string, string> = { TAUT_STATE: state }
  const mark = join(folder, 'struck')
  const breaking = `--import=${BREAKING}`
  const ten = await listTen()
  const profile = join(folder, 'ten.yaml')
  const settings = ten.map(text => {
    const [knob, value] = text.split('=')
    return { knob, value, why: 'a test' }
  })
  // What is JSON is YAML.
  await writeFile(profile, JSON.stringify({ version: 1, name: 'ten', about: 'A test.', settings }))
  // A test that fails in the middle would leave the machine's own settings changed for all that follow.
  t.teardown(() =>
    run('ip', ['netns', 'exec', netns, process.execPath, TAUT, 'revert', '--all'], {
      env: { ...process.env, ...env },
    }).catch(() => t.log('taut revert failed in the end')),
  )
  const startBroken: World['startBroken'] = (
    { way, at, steps = '', afterwards = '', killAfter = '', guardAt = '' },
    ...args
  ) => {
    const broken = {
      TAUT_TEST_WAY: way,
      TAUT_TEST_AT: String(at),
      TAUT_TEST_STEPS: steps,
      TAUT_TEST_AFTERWARDS: afterwards,
      TAUT_TEST_KILL_AFTER: String(killAfter),
      TAUT_TEST_GUARD_AT: String(guardAt),
      NODE_OPTIONS: breaking,
      TAUT_TEST_MARK: mark,
    }
    const options = { netns, env: { ...env, ...broken } }
    return startProcess(t, process.execPath, [TAUT, ...args], options)
  }
  return {
    t,
    netns,
    state,
    service,
    env,
    breaking,
    ten,
    apply: ['apply', profile, '--nic', 'wide', '--port', String(service.port), '--yes'],
    settings: () => takeSettings(netns, [service.pid]),
    taut: (...args) => runTaut(t, args, { netns, env }),
    startBroken,
    broken: async (breaking, ...args) => {
      await rm(mark, { force: true })
      const ending = await (await startBroken(breaking, ...args)).ended
      return { ...ending, isStruck: existsSync(mark) }
    },
    sh: async command => (await run('ip', ['netns', 'exec', netns, 'sh', '-c', command])).stdout,
  }
}

/** Registers a test that begins with a world, and what its settings are. */
export const wayBackTest = (title: string, body: (world: World, before: string) => Promise<void>): void =>
  kernelTest(
    title,
    async t => {
      t.timeout(20 * 60_000)
      const world = await createWorld(t)
      await body(world, await world.settings())
    },
    'ip',
    'ethtool',
    'memcached',
  )

/** The guard has the lock until it has put everything back. */
export const waitForGuard = ({ state }: World): Promise<unknown> =>
  run('flock', ['-w', '60', join(state, 'lock'), 'true'])

/** Puts the state on a disk of its own. */
export const mountState = async ({ t, state }: World, options: string): Promise<void> => {
  await mkdir(state, { mode: 0o700 })
  await run('mount', ['-t', 'tmpfs', '-o', `mode=700,${options}`, 'tmpfs', state])
  t.teardown(() => run('umount', [state]))
}
