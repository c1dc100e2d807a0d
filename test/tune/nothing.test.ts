import { existsSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { readRecorded, replay } from '../../bench/recorded-noise.js'
import { type Effect, invent, type Noise, simulate } from '../../bench/simulated-machine.js'
import { createRandom } from '../../src/statistics/random.js'
import { GOALS, type Goal } from '../../src/tune/slice.js'

/**
 * Four settings that do nothing: of the runs of three minutes, at most one in a hundred may keep any; and no more than that share
 * may have one stopped for a collapse that is none.
 */
const NOTHING: Effect[] = ['a', 'b', 'c', 'd'].map(name => ({ name, p99: 1 }))

const assertKeepsNone = async (
  t: ExecutionContext,
  runs: number,
  noiseOf: (run: number) => Noise,
  {
    mostStopped = 0.01,
    goal = 'p99',
    settings = NOTHING,
  }: { mostStopped?: number; goal?: Goal; settings?: Effect[] } = {},
): Promise<void> => {
  t.timeout(10 * 60_000)
  let keeping = 0
  let stopping = 0
  for (let run = 0; run < runs; run++) {
    const { kept, trials } = await simulate(1000 + run, noiseOf(run)).run(settings, { goal })
    if (kept.length > 0) keeping++
    if (trials.some(({ reason }) => reason.startsWith('stopped'))) stopping++
  }
  t.log(`${keeping} of ${runs} kept something, ${stopping} had a trial stopped`)
  t.true(keeping <= runs / 100, `${keeping} of ${runs}`)
  t.true(stopping <= runs * mostStopped, `${stopping} of ${runs} stopped`)
}

/** Recorded on a virtual machine with two CPUs beside other work by `node dist/bench/record-noise.js`. */
const RECORDED = new URL('../../../test/tune/noise.csv', import.meta.url)

test.serial('on noise that was recorded of a machine at work', async t => {
  t.true(existsSync(RECORDED))
  const slices = readRecorded(RECORDED)
  t.true(slices.length > 1000)
  const random = createRandom(77)
  // In these twelve minutes most of some slices' requests are missing, which looks like nothing else.
  await assertKeepsNone(t, 500, () => replay(slices, Math.floor(random() * slices.length)), {
    mostStopped: 0.08,
  })
})

test.serial('on noise of each slice, and disturbances of some seconds', async t => {
  await assertKeepsNone(t, 200, run => invent(createRandom(run)))
})

test.serial('on noise that lasts from slice to slice', async t => {
  await assertKeepsNone(t, 200, run => invent(createRandom(run), { size: 0.4, memory: 0.7 }))
})

for (const ms of [800, 1300, 1600]) {
  test.serial(`on noise that comes back every ${ms} ms, about as often as a pair of slices does`, async t => {
    await assertKeepsNone(t, 100, run => invent(createRandom(run), { wave: { ms, times: 3 } }))
  })
}

for (const goal of GOALS.filter(each => each !== 'p99')) {
  test.serial(`whatever it is tuned for: ${goal}`, async t => {
    await assertKeepsNone(t, 100, run => invent(createRandom(run)), { goal })
  })
}

test.serial('judged with the time until replies are acknowledged as well', async t => {
  const settings = NOTHING.map(effect => ({ ...effect, isBeforeStages: true as const }))
  await assertKeepsNone(t, 100, run => invent(createRandom(run)), { settings })
})
