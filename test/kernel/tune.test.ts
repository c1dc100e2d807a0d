import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { constants, getPriority } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { listThreads } from '../../src/system/threads.js'
import { KVLOAD } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type Load, listArguments } from './support/load.js'
import { type Ending, listGroup, type Running, startProcess } from './support/processes.js'
import { type Service, startMemcached } from './support/services.js'
import { runTaut, TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)

/** A service whose CPU somebody else burns, under a steady load from the other CPU. */
type World = { service: Service; neighbour: Running; state: string; cpus: () => string }

/** The machine's own settings are not the test's to try. */
const ONLY = ['--only', 'cpu.app_affinity']

const LOAD: Omit<Load, 'port'> = { connections: 16, rate: 3000, requests: 3000 * 600, timeout: 900 }

const createWorld = async (t: Context): Promise<World> => {
  t.timeout(15 * 60_000)
  const state = join(await createFolder(t), 'state')
  const service = await startMemcached(t, ['-t', '2'])
  await run('taskset', ['-apc', '1', String(service.pid)])
  const neighbour = await startProcess(t, 'sh', ['-c', 'while :; do :; done'], { cpu: 1 })
  await startProcess(t, KVLOAD, listArguments({ port: service.port, ...LOAD }), { cpu: 0 })
  const cpus = (): string =>
    [...new Set(listThreads(service.pid).map(thread => thread.cpus.join()))].join(' ')
  return { service, neighbour, state, cpus }
}

const tune = ({ service, state }: World, t: Context, ...args: string[]): Promise<Ending> =>
  runTaut(t, ['tune', '--port', service.port, ...ONLY, ...args], { env: { TAUT_STATE: state } })

kernelTest(
  "tune finds the neighbour on the service's CPU, names it, proves that leaving it helps, and goes back when asked",
  async t => {
    const world = await createWorld(t)
    const { code, stdout, stderr } = await tune(world, t, '--json')
    t.is(code, 0, stderr)
    const { trials, kept, before, after, undo } = JSON.parse(stdout)
    const trial = trials.find(({ rule }: { rule: string }) => rule === 'neighbour')
    t.true(trial.why.startsWith(`sh (${world.neighbour.pid}) runs on CPU 1`), trial.why)
    t.is(trial.decision, 'kept', stdout)
    t.true(trial.goal.high < 0.97)
    t.true(
      kept.some(({ knob }: { knob: string }) => knob === 'cpu.app_affinity'),
      stdout,
    )
    t.true(after.p99_us < before.p99_us / 2, stdout)
    t.is(world.cpus(), '0')
    const [command, ...args] = undo.split(' ')
    t.is(command, 'taut')
    const reverted = await runTaut(t, args, { env: { TAUT_STATE: world.state } })
    t.is(reverted.code, 0, reverted.stderr)
    t.is(world.cpus(), '1')
  },
  'memcached',
  'taskset',
)

kernelTest(
  'tune leaves everything as it was: after --dry-run, and when it is interrupted in the midst of a trial',
  async t => {
    const world = await createWorld(t)
    const plan = await tune(world, t, '--for', '10s', '--dry-run')
    t.is(plan.code, 0, plan.stderr)
    t.regex(plan.stdout, /taut apply --set cpu\.app_affinity=0 --port \d+/)
    t.is(world.cpus(), '1')

    const tuning = await startTuning(t, world)
    await waitFor('the first trial', () => (world.cpus() === '0' ? true : null))
    tuning.child.kill('SIGINT')
    const { code, stderr } = await tuning.ended
    t.is(code, 130, stderr)
    t.true(stderr.endsWith('taut: interrupted; what was tried is put back\n'), stderr)
    t.is(world.cpus(), '1')
  },
  'memcached',
  'taskset',
)

kernelTest(
  'where somebody else sets what tune tries, that trial ends, and what they set is left to them',
  async t => {
    const world = await createWorld(t)
    const tuning = await startTuning(t, world, '--json')
    // Between taut's write and its look at what the kernel made of it, another's value is taken for that.
    await waitFor('the first write to be in the journal', async () => {
      const journal = await readFile(join(world.state, 'journal.json'), 'utf8').catch(() => '')
      return /"state": ?"written"/.test(journal) ? true : null
    })
    // And between its look at what is there and its write it would be overwritten unseen: who is in earnest sets it again.
    while (tuning.child.exitCode === null) {
      if (world.cpus() !== '0,1') await run('taskset', ['-apc', '0,1', String(world.service.pid)])
      await Promise.race([tuning.ended, setTimeout(1000)])
    }
    const { code, stdout, stderr } = await tuning.ended
    t.is(code, 0, stdout + stderr)
    const { trials, kept, undo } = JSON.parse(stdout)
    t.deepEqual([...new Set(trials.map(({ decision }: { decision: string }) => decision))], ['interfered'])
    t.regex(trials[0].reason, /^someone else has set CPUs of memcached \(\d+\) to 0-1 meanwhile/)
    t.deepEqual([kept, undo], [[], null])
    t.is(world.cpus(), '0,1')
    const status = await runTaut(t, ['status', '--json'], { env: { TAUT_STATE: world.state } })
    t.deepEqual(JSON.parse(status.stdout), [])
  },
  'memcached',
  'taskset',
)

kernelTest(
  'tune goes on no longer than there is somebody to put things back',
  async t => {
    const world = await createWorld(t)
    const tuning = await startTuning(t, world)
    await waitFor('the first trial', () => (world.cpus() === '0' ? true : null))
    const { stdout } = await run('pgrep', ['-P', String(tuning.child.pid), '-f', 'guard-process.js'])
    const guard = Number(stdout)
    // Tracing gives way to the service; putting back does not.
    t.is(getPriority(tuning.child.pid), constants.priority.PRIORITY_BELOW_NORMAL)
    t.is(getPriority(guard), getPriority())
    process.kill(guard, 'SIGKILL')
    const { code, stderr } = await tuning.ended
    t.is(code, 1, stderr)
    t.regex(stderr, /taut: the guard is gone, which would put settings back if taut were killed/)
    t.is(world.cpus(), '1')
  },
  'memcached',
  'taskset',
  'pgrep',
)

const startTuning = (t: Context, { service, state }: World, ...args: string[]): Promise<Running> =>
  startProcess(t, process.execPath, [TAUT, 'tune', '--port', service.port, ...ONLY, '--for', '5m', ...args], {
    env: { TAUT_STATE: state },
  })

const KILLS = 3

kernelTest(
  'tune that is killed at any moment of its trials leaves everything as it was, and its load ends',
  async t => {
    const world = await createWorld(t)
    const pidFile = join(await createFolder(t), 'pid')
    const load = `echo $$ >${pidFile}; sleep 3600; true`
    for (let kill = 0; kill < KILLS; kill++) {
      const tuning = await startTuning(t, world, '--load', load)
      await waitFor('the first trial', () => (world.cpus() === '0' ? true : null))
      // Slices take a quarter of a second and more: anywhere in the first four.
      await setTimeout(Math.random() * 1500)
      tuning.child.kill('SIGKILL')
      await tuning.ended
      // The guard has the lock until it has put everything back.
      await run('flock', ['-w', '60', join(world.state, 'lock'), 'true'])
      t.is(world.cpus(), '1', `kill ${kill}`)
      const pid = Number(await readFile(pidFile, 'utf8'))
      await waitFor('the load to end', async () => ((await listGroup(pid)).length === 0 ? true : null))
    }
    const status = await runTaut(t, ['status', '--json'], { env: { TAUT_STATE: world.state } })
    t.deepEqual(JSON.parse(status.stdout), [])
  },
  'memcached',
  'taskset',
)

kernelTest(
  'tune says so and changes nothing where the traffic is too little to tell',
  async t => {
    const service = await startMemcached(t)
    const state = join(await createFolder(t), 'state')
    await startProcess(
      t,
      KVLOAD,
      listArguments({ port: service.port, connections: 1, rate: 20, requests: 2000, timeout: 300 }),
    )
    const { code, stdout, stderr } = await runTaut(
      t,
      ['tune', '--port', service.port, ...ONLY, '--for', '10s'],
      {
        env: { TAUT_STATE: state },
      },
    )
    t.is(code, 1)
    t.is(stdout, '')
    t.regex(stderr, /taut: \d+ requests in [\d.]+ s are too few to tune by; nothing was changed/)
  },
  'memcached',
)

kernelTest(
  'advise names what is in the way, with the command, and changes nothing',
  async t => {
    const world = await createWorld(t)
    const { code, stdout, stderr } = await runTaut(t, [
      'advise',
      '--port',
      world.service.port,
      '--for',
      '3s',
      '--json',
    ])
    t.is(code, 0, stderr)
    const { advice } = JSON.parse(stdout)
    const found = advice.find(({ rule }: { rule: string }) => rule === 'neighbour')
    t.true(found.finding.startsWith(`sh (${world.neighbour.pid}) runs on CPU 1`), stdout)
    t.deepEqual(found.shell_commands, [`taskset -apc 0 ${world.service.pid}`])
    t.deepEqual(found.commands, [`taut apply --set cpu.app_affinity=0 --port ${world.service.port}`])
    t.true(found.gain.p99 > 0 && found.gain.p99 < 1)
    t.is(world.cpus(), '1')
  },
  'memcached',
  'taskset',
)
