import { median } from '../../src/statistics/summary.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { createWorld, type Kind, type TuneDocument, type World } from './world.js'

/** A machine that is set wrong in one way. */
export type Trouble = {
  /** In words, for the test's title. */
  name: string
  /** What is measured, memcached unless told. */
  kind?: Kind
  /** What is there whether it is set right or wrong, and the setting that is known to be good. */
  prepare: (world: World) => Promise<void>
  /** Sets it wrong. */
  plant: (world: World) => Promise<void>
  /** What names the culprit: the knob, the value that cures it, and what the reason says. */
  culprit: { knob: string; to: RegExp; why: RegExp }
}

/** So many runs of each; of ten, one may fail. */
const RUNS = Number(process.env.TROUBLE_RUNS ?? 10)
const MAY_FAIL = Math.floor(RUNS / 10)
/** Of the known good setting's 99th percentile, the result may be so much worse. */
const NEAR = 1.1
const PAIRS = 6
const PROGRAMS = ['memcached', 'taskset', 'ip']

/** Registers the tests of a trouble: with nothing but the port, tune cures it, and in the good setting it changes nothing. */
export const testTrouble = (trouble: Trouble): void => {
  const outcomes: (string | null)[] = []
  for (let run = 1; run <= RUNS; run++) {
    kernelTest(
      `${trouble.name}: run ${run}`,
      async t => {
        const world = await createWorld(t, trouble.kind)
        await trouble.prepare(world)
        const good = await takeState(world)
        await trouble.plant(world)
        t.not((await takeState(world)).everything, good.everything)
        const result = await world.tune()
        const failure = findCulprit(trouble, result) ?? (await compareWithGood(world, good))
        outcomes.push(failure)
        t.log(failure ?? 'cured')
      },
      ...PROGRAMS,
    )
  }

  kernelTest(
    `${trouble.name}: tune finds the culprit, names it, and ends near the good setting, ${MAY_FAIL} of ${RUNS} times at most it does not`,
    async t => {
      t.is(outcomes.length, RUNS)
      const failures = outcomes.filter(outcome => outcome !== null)
      t.true(failures.length <= MAY_FAIL, failures.join('\n'))
    },
    ...PROGRAMS,
  )

  kernelTest(
    `${trouble.name}: set right, tune changes nothing`,
    async t => {
      const world = await createWorld(t, trouble.kind)
      await trouble.prepare(world)
      const good = await world.everything()
      const { kept, trials } = await world.tune()
      t.deepEqual(kept, [], JSON.stringify(trials))
      t.is(await world.everything(), good)
    },
    ...PROGRAMS,
  )
}

const findCulprit = ({ culprit }: Trouble, { trials, kept }: TuneDocument): string | null => {
  const named = trials.find(({ knob, to, why, decision }) => {
    const isIt = knob === culprit.knob && culprit.to.test(to) && culprit.why.test(why)
    return isIt && decision === 'kept'
  })
  if (named !== undefined) return null
  const tried = trials.map(
    ({ rule, knob, to, decision, reason }) => `${rule} ${knob}=${to} ${decision}: ${reason}`,
  )
  return `not named; kept ${JSON.stringify(kept)}, tried ${tried.join('; ') || 'nothing'}`
}

type State = { settings: string; everything: string }

const takeState = async (world: World): Promise<State> => ({
  settings: await world.settings(),
  everything: await world.everything(),
})

/**
 * The same settings need no comparison; others are compared in turns, by the clients' clock. What no trouble sets, and tune has,
 * is in force on both sides.
 */
const compareWithGood = async (world: World, good: State): Promise<string | null> => {
  const tuned = await takeState(world)
  if (tuned.everything === good.everything) return null
  const ratios: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const p99 = new Map<State, number>()
    for (const state of pair % 2 === 0 ? [tuned, good] : [good, tuned]) {
      await world.restore(state.settings)
      p99.set(state, await world.measureP99())
    }
    ratios.push((p99.get(tuned) ?? Number.NaN) / (p99.get(good) ?? Number.NaN))
  }
  const ratio = median(ratios)
  return ratio <= NEAR
    ? null
    : `p99 is ${ratio.toFixed(2)} times that of ${good.settings}, with ${tuned.settings}`
}
