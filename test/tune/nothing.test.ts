import { existsSync } from 'node:fs'
import test from 'ava'
import { readRecorded, replay } from '../../bench/recorded-noise.js'
import { type Effect, invent, type Noise, simulate } from '../../bench/simulated-machine.js'
import { createRandom } from '../../src/statistics/random.js'

/** Four settings that do nothing, and so many runs of three minutes: at most one in a hundred may keep any. */
const NOTHING: Effect[] = ['a', 'b', 'c', 'd'].map(name => ({ name, p99: 1 }))
const RUNS = 500
const MOST = RUNS / 100

const countKeeping = async (noiseOf: (run: number) => Noise): Promise<number> => {
  let keeping = 0
  for (let run = 0; run < RUNS; run++) {
    const { kept } = await simulate(1000 + run, noiseOf(run)).run(NOTHING)
    if (kept.length > 0) keeping++
  }
  return keeping
}

/** Recorded on a virtual machine with two CPUs beside other work by `node dist/bench/record-noise.js`. */
const RECORDED = new URL('../../../test/tune/noise.csv', import.meta.url)

test('on noise that was recorded of a machine at work', async t => {
  t.true(existsSync(RECORDED))
  const slices = readRecorded(RECORDED)
  t.true(slices.length > 1000)
  const random = createRandom(77)
  const keeping = await countKeeping(() => replay(slices, Math.floor(random() * slices.length)))
  t.true(keeping <= MOST, `${keeping} of ${RUNS}`)
})

test('on noise of each slice, and disturbances of some seconds', async t => {
  const keeping = await countKeeping(run => invent(createRandom(run)))
  t.true(keeping <= MOST, `${keeping} of ${RUNS}`)
})

test('on noise that lasts from slice to slice', async t => {
  const keeping = await countKeeping(run => invent(createRandom(run), { size: 0.4, memory: 0.7 }))
  t.true(keeping <= MOST, `${keeping} of ${RUNS}`)
})

test('on noise that comes back as often as a pair of slices does', async t => {
  for (const ms of [800, 1300, 1600]) {
    const keeping = await countKeeping(run => invent(createRandom(run), { wave: { ms, times: 3 } }))
    t.true(keeping <= MOST, `every ${ms} ms: ${keeping} of ${RUNS}`)
  }
})
