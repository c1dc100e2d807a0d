import { join } from 'node:path'
import { listThreads } from '../../src/system/threads.js'
import { KVLOAD } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listArguments } from './support/load.js'
import { createNetns } from './support/netns.js'
import { type Running, startProcess, waitForOutput } from './support/processes.js'
import { pinProcess } from './support/scheduler.js'
import { type Service, startMemcached, startServiceAt } from './support/services.js'
import { TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'

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

const SATURATED: Kind = { start: COMPUTING }
const STEADY: Kind = { start: COMPUTING, rate: 1000 }
const MEMCACHED: Kind = { start: (t, netns) => startMemcached(t, ['-t', '2'], { netns }), rate: 3000 }

const createWorld = async (t: Context, { start, rate }: Kind): Promise<World> => {
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

const NEIGHBOUR = 'cpu.app_affinity'
/** With the goal of throughput, a profile has this tried after what the rules found. The machine's own settings are not the test's. */
const STEERING = 'net.rps'
const BOTH = ['--goal', 'throughput', '--only', `${NEIGHBOUR},${STEERING}`]
/** As much as it likes: what the service computes, now that it can. */
const DEAR = ['--allow', 'cpu=+300%', '--allow', 'energy=+300%']

type Ratio = { estimate: number; low: number; high: number }
type Report = {
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

const triedIn = ({ trials }: Report): string[] => [...new Set(trials.map(({ knob }) => knob))]

const leftOutIn = ({ left_out }: Report): string[] =>
  left_out.flatMap(({ settings, by }) => settings.map(({ knob }) => `${by} ${knob}`))

kernelTest(
  '--exclude leaves a knob untried, --only leaves all others, and both say so',
  async t => {
    const { tune, cpus } = await createWorld(t, SATURATED)
    const plan = await tune(...BOTH, '--exclude', NEIGHBOUR, '--for', '5s', '--dry-run')
    t.regex(plan, /^LEFT OUT by --exclude: .+ \(\d+\) runs on CPU 1/m)
    t.regex(plan, /^1\. Protocol work is spread over all CPUs/m)

    const without: Report = JSON.parse(await tune(...BOTH, '--exclude', NEIGHBOUR, '--for', '10s', '--json'))
    t.deepEqual(triedIn(without), [STEERING])
    t.true(leftOutIn(without).includes(`--exclude ${NEIGHBOUR}`), JSON.stringify(without.left_out))

    const only = ['--goal', 'throughput', '--only', STEERING]
    const alone: Report = JSON.parse(await tune(...only, '--for', '10s', '--json'))
    t.deepEqual(triedIn(alone), [STEERING])
    t.true(leftOutIn(alone).includes(`--only ${NEIGHBOUR}`), JSON.stringify(alone.left_out))
    t.is(cpus(), '1')
  },
  'taskset',
)

kernelTest(
  'what costs CPU time is kept with --allow, and refused without',
  async t => {
    const { tune, cpus } = await createWorld(t, SATURATED)
    const args = ['--goal', 'throughput', '--only', NEIGHBOUR, '--for', '45s', '--json']
    const refused: Report = JSON.parse(await tune(...args))
    t.deepEqual(refused.kept, [])
    t.is(refused.trials[0]?.decision, 'undone')
    t.regex(refused.trials[0]?.reason ?? '', /^the CPUs were busy for \d+ % longer$/)
    t.is(cpus(), '1')

    const allowed: Report = JSON.parse(await tune(...args, ...DEAR))
    t.deepEqual(
      allowed.kept.map(({ knob }) => knob),
      [NEIGHBOUR],
      JSON.stringify(allowed),
    )
    t.true((allowed.trials[0]?.guards.cpu?.estimate ?? 0) > 1.1, JSON.stringify(allowed))
    t.is(cpus(), '0')
  },
  'taskset',
)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  kernelTest(
    `--until-revert keeps what is proven while it runs, and gives it back at ${signal}`,
    async t => {
      const { service, startTaut, cpus } = await createWorld(t, SATURATED)
      const tuning = await startTaut(
        ...['tune', '--port', String(service.port), '--only', NEIGHBOUR, ...DEAR],
        ...['--goal', 'throughput', '--for', '45s', '--until-revert', '--json'],
      )
      const [text] = await waitForOutput(tuning, /^.+\n/)
      const report: Report = JSON.parse(text)
      t.is(report.kept.length, 1, text)
      // It is in force, and not to stay: for as long as it takes to ask, and whoever else would change something has to wait.
      const status = await (await startTaut('status', '--json')).ended
      t.deepEqual(
        JSON.parse(status.stdout).map(({ knob, now }: { knob: string; now: string }) => [knob, now]),
        [[NEIGHBOUR, '0']],
      )
      const revert = await (await startTaut('revert', '--all')).ended
      t.is(revert.code, 1, revert.stderr)
      t.regex(revert.stderr, /another taut \(process \d+\) is changing settings/)
      t.is(cpus(), '0')
      t.is(tuning.child.exitCode, null)

      tuning.child.kill(signal)
      const { code, stderr } = await tuning.ended
      t.is(code, 130, stderr)
      t.is(cpus(), '1')
      t.deepEqual(JSON.parse((await (await startTaut('status', '--json')).ended).stdout), [])
    },
    'taskset',
  )

kernelTest(
  '--target that is met already has nothing changed, and says so',
  async t => {
    const { tune, cpus } = await createWorld(t, STEADY)
    const met = ['--target', 'p99<10s', '--for', '5s']
    t.is(
      (await tune(...met, '--only', NEIGHBOUR)).trim().split('\n').at(-1),
      'The target is reached already; nothing was changed.',
    )
    const before: Report = JSON.parse(await tune(...met, '--json'))
    t.true(before.reached)
    t.deepEqual([before.trials, before.kept], [[], []])
    t.is(cpus(), '1')
  },
  'taskset',
)

kernelTest(
  '--target that a setting meets ends the trials there',
  async t => {
    const { tune, cpus } = await createWorld(t, SATURATED)
    // Beside the neighbour requests wait until that has had its turn, which is longer.
    const after: Report = JSON.parse(
      await tune(...BOTH, ...DEAR, '--target', 'mean<7ms', '--for', '70s', '--json'),
    )
    t.true(after.reached, JSON.stringify(after))
    t.deepEqual(triedIn(after), [NEIGHBOUR])
    t.is(cpus(), '0')
  },
  'taskset',
)

/** What a knob is tried for, by which number, and what a trial is told by as well. */
for (const [goal, knob, guard] of [
  ['throughput', NEIGHBOUR, 'throughput'],
  ['p50', NEIGHBOUR, 'p50'],
  ['energy', 'net.napi_defer_hard_irqs', 'cpu'],
] as const)
  kernelTest(
    `--goal ${goal} has its trials judged by that`,
    async t => {
      const { tune } = await createWorld(t, SATURATED)
      const args = ['--goal', goal, '--only', knob, ...DEAR, '--for', '20s', '--json']
      const report: Report = JSON.parse(await tune(...args))
      t.is(report.goal, goal)
      const [trial] = report.trials
      t.is(trial?.knob, knob, JSON.stringify(report))
      // Of watts, where the hardware tells them.
      const name = goal === 'energy' && trial?.cost.watts !== null ? 'energy' : guard
      t.is(trial?.goal.estimate, trial?.guards[name]?.estimate)
      if (goal === 'throughput') t.true((trial?.goal.low ?? 0) > 1.2, JSON.stringify(trial))
      if (goal === 'p50') t.true((trial?.goal.high ?? 1) < 0.8, JSON.stringify(trial))
    },
    'taskset',
  )

kernelTest(
  'tune that is interrupted while it looks for the effect of a setting gives that back',
  async t => {
    // Of memcached's threads some hardly ever run: whether they went along is looked for as long as there is patience.
    const { service, startTaut, cpus } = await createWorld(t, MEMCACHED)
    const tuning = await startTaut(
      ...['tune', '--port', String(service.port), '--only', NEIGHBOUR, '--for', '5m'],
    )
    await waitFor('the first write', () => (cpus() === '0' ? true : null))
    tuning.child.kill('SIGINT')
    const { code, stdout, stderr } = await tuning.ended
    t.is(code, 130, stderr)
    t.is(stdout, '')
    t.is(cpus(), '1')
    t.deepEqual(JSON.parse((await (await startTaut('status', '--json')).ended).stdout), [])
  },
  'memcached',
  'taskset',
)
