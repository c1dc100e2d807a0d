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

/** So many runs of each; of ten in which there was trouble, one may fail, and in half of all there has to be. */
const RUNS = Number(process.env.TROUBLE_RUNS ?? 10)
const MAY_FAIL = 0.1
const TO_BE_TROUBLE = 0.5
/** Of the known good setting's 99th percentile, the result may be so much worse. */
const NEAR = 1.1
const PAIRS = 6
const PROGRAMS = ['memcached', 'taskset', 'ip']

/** Registers the tests of a trouble: with nothing but the port, tune cures it; in the good setting, as often, it changes nothing. */
export const testTrouble = (trouble: Trouble): void => {
  const outcomes: Outcome[] = []
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
        const outcome = await findOutcome(world, trouble, { wrong, planted, good })
        outcomes.push(outcome)
        t.log(outcome.says, `set right, it tried ${describeTrials(right)}`)
      },
      ...PROGRAMS,
    )
  }

  kernelTest(
    `${trouble.name}: tune finds the culprit, names it, and ends near the good setting, nine times of ten`,
    async t => {
      t.is(outcomes.length, RUNS)
      const sayingOf = (kind: Outcome['kind']): string[] =>
        outcomes.filter(each => each.kind === kind).map(({ says }) => says)
      const [failures, harmless] = [sayingOf('failed'), sayingOf('harmless')]
      const troubled = RUNS - harmless.length
      t.log(
        `cured ${troubled - failures.length} of ${RUNS} times; no trouble on this machine ${harmless.length} times`,
      )
      t.true(failures.length <= troubled * MAY_FAIL, failures.join('\n'))
      t.true(troubled >= RUNS * TO_BE_TROUBLE, harmless.join('\n'))
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

/** What became of a run: where all was left as it was set, and the good setting is no better, there was nothing to cure. */
type Outcome = { kind: 'cured' | 'harmless' | 'failed'; says: string }

const findOutcome = async (
  world: World,
  trouble: Trouble,
  { wrong, planted, good }: { wrong: TuneDocument; planted: string; good: string },
): Promise<Outcome> => {
  const tuned = await world.everything()
  const unnamed = findCulprit(trouble, wrong)
  const ratio = await compare(world, tuned, good)
  if (unnamed === null && ratio <= NEAR) return { kind: 'cured', says: 'cured' }
  const far = `p99 is ${ratio.toFixed(2)} times that of the good setting, with ${describeDifference(tuned, good)}`
  if (unnamed === null) return { kind: 'failed', says: far }
  return { kind: tuned === planted && ratio < 1 ? 'harmless' : 'failed', says: `${unnamed}; ${far}` }
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
