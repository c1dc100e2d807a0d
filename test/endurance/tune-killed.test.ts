import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Context, kernelTest } from '../kernel/support/kernel-test.js'
import { pauseProcess, type Running } from '../kernel/support/processes.js'
import { waitFor } from '../kernel/support/wait.js'
import { createWorld, type World } from '../trouble/world.js'

const run = promisify(execFile)

const KILLS = 50
const SECONDS = 8
/** The same once something is kept, which takes longer. */
const LATE_KILLS = 10
const LATE_SECONDS = 60
const MOST_LATER_MS = 4000

/** What tune is at when it is killed. */
const PHASES = ['starting', 'looking', 'trying without a setting', 'trying with one'] as const
type Phase = (typeof PHASES)[number]

/** Tells it by what tune says, and by what is set on the machine; it has to stand still meanwhile. */
const findPhase = async (tuning: Running, world: World, before: string): Promise<Phase> => {
  if ((await world.everything()) !== before) return 'trying with one'
  if (/trial \d+ of/.test(tuning.stderr())) return 'trying without a setting'
  return /looking at/.test(tuning.stderr()) ? 'looking' : 'starting'
}

/** A setting for each of two knobs: the service has a neighbour, and packets are steered to its CPU. */
const prepare = async (t: Context, seconds: number): Promise<World> => {
  const world = await createWorld(t)
  await world.startReceiver(1)
  await world.pinService('1')
  await world.steer('2')
  await world.startLoad(seconds)
  return world
}

/** Ends tune, which stands still, and looks whether everything is as it was. */
const kill = async (
  t: Context,
  world: World,
  tuning: Running,
  before: string,
  which: string,
): Promise<void> => {
  tuning.child.kill('SIGKILL')
  t.is((await tuning.ended).signal, 'SIGKILL')
  // The guard has the lock until it has put everything back; without one yet, nothing was begun.
  if (existsSync(world.lock)) await run('flock', ['-w', '60', world.lock, 'true'])
  t.is(await world.everything(), before, which)
  const { stdout } = await (await world.startTaut('status', '--json')).ended
  t.is(stdout, '[]\n', which)
}

kernelTest(
  `tune is killed at ${KILLS} random moments, from its start to its end: each time all is as it was`,
  async t => {
    t.timeout(30 * 60_000)
    const world = await prepare(t, KILLS * 40)
    const before = await world.everything()
    const killed = new Map<Phase, number>(PHASES.map(phase => [phase, 0]))
    for (let number = 0; number < KILLS; number++) {
      // Each in its own part of the time, wherever in it; the last ones may come too late.
      for (;;) {
        const tuning = await world.startTaut(
          ...['tune', '--port', String(world.service.port), '--for', `${SECONDS}s`],
        )
        await setTimeout(((number + Math.random()) / KILLS) * SECONDS * 1000)
        if (tuning.child.exitCode === null) {
          await pauseProcess(tuning)
          const phase = await findPhase(tuning, world, before)
          killed.set(phase, (killed.get(phase) ?? 0) + 1)
          await kill(t, world, tuning, before, `kill ${number}, while ${phase}`)
          break
        }
        t.is((await (await world.startTaut('revert', '--all')).ended).code, 0)
      }
    }
    const counts = [...killed].map(([phase, times]) => `${times} while ${phase}`)
    t.log(counts.join(', '))
    t.true(
      [...killed.values()].every(times => times > 0),
      counts.join(', '),
    )
  },
  'memcached',
  'taskset',
)

kernelTest(
  `tune is killed at ${LATE_KILLS} random moments when it has proven something: each time all is as it was`,
  async t => {
    t.timeout(20 * 60_000)
    const world = await prepare(t, LATE_KILLS * (LATE_SECONDS + 60))
    const before = await world.everything()
    let withSettings = 0
    for (let number = 0; number < LATE_KILLS; number++) {
      const tuning = await world.startTaut(
        ...['tune', '--port', String(world.service.port), '--for', `${LATE_SECONDS}s`],
      )
      await waitFor(
        'something that is kept, and compared with nothing',
        () => {
          if (tuning.child.exitCode !== null) throw new Error(`tune has ended: ${tuning.stderr()}`)
          return /all that is kept, compared with nothing/.test(tuning.stderr()) || null
        },
        2 * LATE_SECONDS * 1000,
      )
      await setTimeout(Math.random() * MOST_LATER_MS)
      await pauseProcess(tuning)
      if ((await world.everything()) !== before) withSettings++
      await kill(t, world, tuning, before, `kill ${number}`)
    }
    t.log(`${withSettings} with settings that were on`)
    t.true(withSettings > 0)
  },
  'memcached',
  'taskset',
)
