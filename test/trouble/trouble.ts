import { median } from '../../src/statistics/summary.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { describeDifference } from './restore.js'
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

/** Registers the tests of a trouble: with nothing but the port, tune cures it; in the good setting, as often, it changes nothing. */
export const testTrouble = (trouble: Trouble): void => {
  const outcomes: (string | null)[] = []
  for (let run = 1; run <= RUNS; run++) {
    kernelTest(
      `${trouble.name}: run ${run}`,
      async t => {
        const world = await createWorld(t, trouble.kind)
        await trouble.prepare(world)
        const good = await world.everything()
        const right = await world.tune()
        t.deepEqual(right.kept, [], `set right: ${JSON.stringify(right.trials)}`)
        t.is(await world.everything(), good)

        await trouble.plant(world)
        t.not(await world.everything(), good)
        const wrong = await world.tune()
        const failure = findCulprit(trouble, wrong) ?? (await compareWithGood(world, good))
        outcomes.push(failure)
        t.log(failure ?? `cured; set right, it tried ${describeTrials(right)}`)
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
}

const findCulprit = ({ culprit }: Trouble, { trials, kept }: TuneDocument): string | null => {
  const named = trials.find(({ knob, to, why, decision }) => {
    const isIt = knob === culprit.knob && culprit.to.test(to) && culprit.why.test(why)
    return isIt && decision === 'kept'
  })
  if (named !== undefined) return null
  return `not named; kept ${JSON.stringify(kept)}, tried ${describeTrials({ trials })}`
}

const describeTrials = ({ trials }: Pick<TuneDocument, 'trials'>): string =>
  trials
    .map(({ rule, knob, to, pairs, goal, decision, reason }) => {
      const change = goal === null ? '' : `, p99 by ${goal.low.toFixed(2)} to ${goal.high.toFixed(2)}`
      return `${rule} ${knob}=${to} ${decision}: ${reason} (${pairs} pairs${change})`
    })
    .join('; ') || 'nothing'

/** The same settings need no comparison; others are compared in turns, by the clients' clock. */
const compareWithGood = async (world: World, good: string): Promise<string | null> => {
  const tuned = await world.everything()
  if (tuned === good) return null
  const ratios: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const p99 = new Map<string, number>()
    for (const settings of pair % 2 === 0 ? [tuned, good] : [good, tuned]) {
      await world.restore(settings)
      p99.set(settings, await world.measureP99())
    }
    ratios.push((p99.get(tuned) ?? Number.NaN) / (p99.get(good) ?? Number.NaN))
  }
  const ratio = median(ratios)
  return ratio <= NEAR
    ? null
    : `p99 is ${ratio.toFixed(2)} times that of the good setting, with ${describeDifference(tuned, good)}`
}
