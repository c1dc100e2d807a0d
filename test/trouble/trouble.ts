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

/** So many runs of each, of which one of ten may fail. */
const RUNS = Number(process.env.TROUBLE_RUNS ?? 10)
const MAY_FAIL = 0.1
/** Of the known good setting's 99th percentile, the result may be so much worse. */
const NEAR = 1.1
const PAIRS = 6
const PROGRAMS = ['memcached', 'taskset', 'ip']

/** Registers the tests of a trouble: with nothing but the port, tune cures it; in the good setting, as often, it changes nothing. */
export const testTrouble = (trouble: Trouble): void => {
  if (!(RUNS >= 1)) throw new Error(`TROUBLE_RUNS is ${process.env.TROUBLE_RUNS}, and has to be 1 or more`)
  const outcomes: string[] = []
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
        const planted = await world.everything()
        t.not(planted, good)
        const wrong = await world.tune()
        const outcome = await findOutcome(world, trouble, { wrong, good })
        outcomes.push(outcome)
        t.log(outcome, `set right, it tried ${describeTrials(right)}`)
      },
      ...PROGRAMS,
    )
  }

  kernelTest(
    `${trouble.name}: tune finds the culprit, names it, and ends near the good setting, nine times of ten`,
    async t => {
      t.is(outcomes.length, RUNS)
      const failures = outcomes.filter(outcome => outcome !== CURED)
      t.log(`cured ${RUNS - failures.length} of ${RUNS} times`)
      t.true(failures.length <= RUNS * MAY_FAIL, failures.join('\n'))
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
      const change = goal === null ? '' : `, p99 by ${goal.low} to ${goal.high}`
      return `${rule} ${knob}=${to} ${decision}: ${reason} (${pairs} pairs${change})`
    })
    .join('; ') || 'nothing'

const CURED = 'cured'

/** Says what became of a run: that it was cured, or why not. */
const findOutcome = async (
  world: World,
  trouble: Trouble,
  { wrong, good }: { wrong: TuneDocument; good: string },
): Promise<string> => {
  const tuned = await world.everything()
  const unnamed = findCulprit(trouble, wrong)
  const ratio = await compare(world, tuned, good)
  if (unnamed === null && ratio <= NEAR) return CURED
  const far = `p99 is ${ratio.toFixed(2)} times that of the good setting, with ${describeDifference(tuned, good)}`
  return unnamed === null ? far : `${unnamed}; ${far}`
}

/** Gives how many times the p99 of the others that of some settings is, by the clients' clock, in turns. */
const compare = async (world: World, some: string, others: string): Promise<number> => {
  if (some === others) return 1
  const ratios: number[] = []
  for (let pair = 0; pair < PAIRS; pair++) {
    const p99 = new Map<string, number>()
    for (const settings of pair % 2 === 0 ? [some, others] : [others, some]) {
      await world.restore(settings)
      p99.set(settings, await world.measureP99())
    }
    ratios.push((p99.get(some) ?? Number.NaN) / (p99.get(others) ?? Number.NaN))
  }
  return median(ratios)
}
