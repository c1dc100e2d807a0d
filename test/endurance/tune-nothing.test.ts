import { planLooks } from '../../src/tune/looks.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { createWorld, MEMCACHED, type World } from '../trouble/world.js'

const RUNS = 20
const KNOB = 'net.rps'
const KIND = { ...MEMCACHED, queues: 2 }
const TIME = ['--for', '20s']

/** A neighbour burns the CPU that RPS points at; what is steered there is in the test's hands. */
const prepare = async (world: World): Promise<void> => {
  await world.pinService('0')
  await world.startNeighbour(1)
}

kernelTest(
  `of ${RUNS} runs of taut tune with a setting that does nothing, on live traffic, none keeps it`,
  async t => {
    t.timeout(20 * 60_000)
    const world = await createWorld(t, KIND)
    await prepare(world)
    // Packets of a queue that none comes by: the kernel takes the setting, and no request is any different for it.
    await world.steer('2', 1)
    const before = await world.everything()
    const told: string[] = []
    let looked = 0
    const [enough = 0] = planLooks(1).at
    for (let run = 1; run <= RUNS; run++) {
      // By the slowest requests and, as there is less noise for a false gain to hide in, by the usual ones.
      const goal = run % 2 === 0 ? 'p99' : 'p50'
      const { trials, kept } = await world.tune(...TIME, '--only', KNOB, '--goal', goal)
      t.deepEqual(
        trials.map(({ knob }) => knob),
        [KNOB],
        `run ${run}`,
      )
      t.deepEqual(kept, [], `run ${run}: ${JSON.stringify(trials)}`)
      t.is(await world.everything(), before, `run ${run}`)
      for (const { pairs, reason } of trials) {
        if (pairs >= enough) looked++
        // With fewer pairs nothing could have been kept, but for what is given up before: a gain is excluded.
        if (pairs >= enough || / is excluded$/.test(reason)) told.push(`${pairs} pairs: ${reason}`)
      }
    }
    t.log(told.join('\n'))
    t.is(told.length, RUNS, 'each run had enough to judge by')
    t.true(looked >= RUNS / 4, `${looked} runs came to where something is kept, if at all`)
  },
  'memcached',
  'taskset',
)

kernelTest(
  'the same setting is kept where it does something: of the queue that all packets come by',
  async t => {
    const world = await createWorld(t, KIND)
    await prepare(world)
    await world.steer('2', 0)
    const { trials, kept } = await world.tune(...TIME, '--only', KNOB, '--goal', 'p50')
    t.deepEqual(
      kept.map(({ knob }) => knob),
      [KNOB],
      JSON.stringify(trials),
    )
  },
  'memcached',
  'taskset',
)
