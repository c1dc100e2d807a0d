import { execFile } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { createWorld } from '../trouble/world.js'

const run = promisify(execFile)

const KILLS = 50
const SECONDS = 12

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
    let killed = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const tuning = await world.startTaut(
        'tune',
        '--port',
        String(world.service.port),
        '--for',
        `${SECONDS}s`,
      )
      await setTimeout(Math.random() * SECONDS * 1000)
      tuning.child.kill('SIGKILL')
      const { signal } = await tuning.ended
      if (signal === 'SIGKILL') killed++
      // The guard has the lock until it has put everything back.
      await run('flock', ['-w', '60', world.lock, 'true'])
      if (signal !== 'SIGKILL') t.is((await (await world.startTaut('revert', '--all')).ended).code, 0)
      t.is(await world.everything(), before, `kill ${kill}`)
      const { stdout } = await (await world.startTaut('status', '--json')).ended
      t.is(stdout, '[]\n', `kill ${kill}`)
    }
    t.log(`${killed} of ${KILLS} were killed before they had ended`)
    t.true(killed > KILLS / 2)
  },
  'memcached',
  'taskset',
)
