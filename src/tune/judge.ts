import { bootstrapMean, type Interval } from '../statistics/bootstrap.js'
import type { Random } from '../statistics/random.js'
import { signedRankTest } from '../statistics/signed-rank.js'
import { deviation, mean } from '../statistics/summary.js'
import { formatShare } from '../text/units.js'
import { type Goal, GUARDS, type Guard, type Pair, READ, type Slice } from './slice.js'

/** What is kept has to be better by this, at least: less is not worth a changed setting. */
const LEAST_GAIN = 0.03
const CONFIDENCE = 0.95
/** So much more of a segment is sent again that it is no accident. */
const RETRANSMITS_TIMES = 2
const RETRANSMITS_MORE = 10

/** By how much each guard may get worse, as a share. */
export type Allowances = Readonly<Record<Guard, number>>

/** Unless the user allows more. */
export const ALLOWANCES: Allowances = { p50: 0.05, mean: 0.05, throughput: 0.03, cpu: 0.1 }

/** A ratio of with to without: 0.8 is a fifth less. */
export type Ratio = Interval

/** How a trial stands. */
export type Judgement = {
  goal: Ratio
  guards: Record<Guard, Ratio>
  verdict: 'keep' | 'drop' | 'open'
  reason: string
}

/** Gives the logarithms of the ratios of pairs. */
const logRatios = (pairs: readonly Pair[], read: (slice: Slice) => number): number[] =>
  pairs.map(({ on, off }) => Math.log(read(on) / read(off)))

/**
 * Judges a trial by its pairs: `keep` when the gain is proven to exceed 3 % and no guard is broken, `drop` when a guard is
 * broken or a gain of 3 % is excluded, `open` while neither is so.
 *
 * Proven by two means that must agree: Wilcoxon's signed-rank test, exact for few pairs at the small error that one look
 * may spend (`alpha`, one-sided); and the 95 % interval of the mean by the bootstrap over pairs. docs/statistics.md has the
 * reasons.
 */
export const judge = (
  pairs: readonly Pair[],
  { goal, alpha, allow, random }: { goal: Goal; alpha: number; allow: Allowances; random: Random },
): Judgement => {
  const gains = logRatios(pairs, READ[goal])
  const interval = bootstrapMean(gains, CONFIDENCE, random)
  const least = Math.log(1 - LEAST_GAIN)
  const guards = {
    p50: ratioOf(pairs, READ.p50, random),
    mean: ratioOf(pairs, READ.mean, random),
    throughput: ratioOf(pairs, READ.throughput, random),
    cpu: ratioOf(pairs, READ.cpu, random),
  }
  const judged = (verdict: Judgement['verdict'], reason: string): Judgement => ({
    goal: exponentiate(interval),
    guards,
    verdict,
    reason,
  })
  if (interval.low > least) return judged('drop', `a gain of ${LEAST_GAIN * 100} % is excluded`)
  const isProven = interval.high < least && signedRankTest(gains, least) <= alpha
  const broken = findBroken(pairs, guards, goal, allow)
  if (broken !== null && (isProven || broken.isCertain)) return judged('drop', broken.reason)
  return isProven
    ? judged('keep', `a gain of more than ${LEAST_GAIN * 100} % is proven`)
    : judged('open', 'not decided yet')
}

const ratioOf = (pairs: readonly Pair[], read: (slice: Slice) => number, random: Random): Ratio =>
  exponentiate(bootstrapMean(logRatios(pairs, read), CONFIDENCE, random))

const exponentiate = ({ estimate, low, high }: Interval): Ratio => ({
  estimate: Math.exp(estimate),
  low: Math.exp(low),
  high: Math.exp(high),
})

type Broken = { reason: string; isCertain: boolean }

/** What has become worse than it may, if anything; certain when the whole interval is. */
const findBroken = (
  pairs: readonly Pair[],
  guards: Record<Guard, Ratio>,
  goal: Goal,
  allow: Allowances,
): Broken | null => {
  for (const name of GUARDS) {
    const { estimate, low } = guards[name]
    if (!(name === goal || (name === 'cpu' && goal === 'energy')) && estimate > 1 + allow[name])
      return { reason: describeWorse(name, estimate), isCertain: low > 1 + allow[name] }
  }
  const [on, off] = [countRetransmits(pairs, 'on'), countRetransmits(pairs, 'off')]
  return on > RETRANSMITS_TIMES * off + RETRANSMITS_MORE
    ? { reason: `TCP sent ${on} segments again, and ${off} without it`, isCertain: true }
    : null
}

const describeWorse = (name: Guard, ratio: number): string =>
  name === 'throughput'
    ? `the throughput fell by ${formatShare(1 - 1 / ratio)}`
    : `${name === 'cpu' ? 'the CPUs were busy for' : `the ${name} rose by`} ${formatShare(ratio - 1)}${name === 'cpu' ? ' longer' : ''}`

const countRetransmits = (pairs: readonly Pair[], side: keyof Pair): number =>
  pairs.reduce((sum, pair) => sum + pair[side].retransmits, 0)

/** How likely what does nothing is to look as good as this, by a few pairs that only confirm: no gain is asked for. */
const MAY_BE_NOTHING = 0.05

/** Tells whether pairs confirm that there is a gain at all. */
export const isBetter = (pairs: readonly Pair[], goal: Goal): boolean =>
  signedRankTest(logRatios(pairs, READ[goal]), 0) <= MAY_BE_NOTHING

/**
 * Gives how many pairs it would take to prove the gain that was seen, nine times of ten; null when there was none to
 * prove. By the normal approximation for the mean of paired differences.
 */
export const pairsNeeded = (pairs: readonly Pair[], goal: Goal, alpha: number): number | null => {
  const gains = logRatios(pairs, READ[goal])
  const beyond = Math.log(1 - LEAST_GAIN) - mean(gains)
  if (!(beyond > 0) || gains.length < 2) return null
  const power = 1.2816
  return Math.ceil(((upperQuantile(alpha) + power) * (deviation(gains) / beyond)) ** 2)
}

/** The standard normal quantile of 1 - p, within 0.0005 (Abramowitz and Stegun 1964, 26.2.23). */
const upperQuantile = (p: number): number => {
  const t = Math.sqrt(-2 * Math.log(p))
  return (
    t -
    (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3)
  )
}
