import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { pauseProcess, type Running } from '../kernel/support/processes.js'
import { createWorld, type World } from '../trouble/world.js'

const run = promisify(execFile)

const KILLS = 50
const SECONDS = 8

/** What tune is at when it is killed. */
const PHASES = ['starting', 'looking', 'trying without a setting', 'trying with one'] as const
type Phase = (typeof PHASES)[number]

/** Tells it by what tune says, and by what is set on the machine; it has to stand still meanwhile. */
const findPhase = async (tuning: Running, world: World, before: string): Promise<Phase> => {
  if ((await world.everything()) !== before) return 'trying with one'
  if (/trial \d+ of/.test(tuning.stderr())) return 'trying without a setting'
  return /looking at/.test(tuning.stderr()) ? 'looking' : 'starting'
}

kernelTest(
  `tune is killed at ${KILLS} random moments, from its start to its end: each time all is as it was`,
  async t => {
    t.timeout(30 * 60_000)
    const world = await createWorld(t)
    // A setting for each of two knobs: the service has a neighbour, and packets are steered to its CPU.
    await world.startReceiver(1)
    await world.pinService('1')
    await world.steer('2')
    await world.startLoad(KILLS * 40)
    const before = await world.everything()
    const killed = new Map<Phase, number>(PHASES.map(phase => [phase, 0]))
    for (let kill = 0; kill < KILLS; kill++) {
      const tuning = await world.startTaut(
        ...['tune', '--port', String(world.service.port), '--for', `${SECONDS}s`],
      )
      // Each in its own part of the time, wherever in it.
      await setTimeout(((kill + Math.random()) / KILLS) * SECONDS * 1000)
      if (tuning.child.exitCode === null) {
        await pauseProcess(tuning)
        const phase = await findPhase(tuning, world, before)
        killed.set(phase, (killed.get(phase) ?? 0) + 1)
        tuning.child.kill('SIGKILL')
        t.is((await tuning.ended).signal, 'SIGKILL')
      } else t.is((await (await world.startTaut('revert', '--all')).ended).code, 0)
      // The guard has the lock until it has put everything back; without one yet, nothing was begun.
      if (existsSync(world.lock)) await run('flock', ['-w', '60', world.lock, 'true'])
      t.is(await world.everything(), before, `kill ${kill}`)
      const { stdout } = await (await world.startTaut('status', '--json')).ended
      t.is(stdout, '[]\n', `kill ${kill}`)
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
