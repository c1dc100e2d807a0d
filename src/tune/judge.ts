import { bootstrapMean, type Interval } from '../statistics/bootstrap.js'
import type { Random } from '../statistics/random.js'
import { signedRankTest } from '../statistics/signed-rank.js'
import { deviation, mean } from '../statistics/summary.js'
import { formatShare } from '../text/units.js'
import {
  type Aim,
  addsAck,
  energyOf,
  type Goal,
  GUARDS,
  type Guard,
  type Limit,
  type Pair,
  READ,
  readerOf,
  type Slice,
  sumSides,
} from './slice.js'

/** What is kept has to be better by this, at least: less is not worth a changed setting. */
const LEAST_GAIN = 0.03
const CONFIDENCE = 0.95
/** Guards have wide margins: fewer resamples than the goal's do. */
const GUARD_RESAMPLES = 500
/** So many segments more that are sent again, or requests that end without a reply, are no accident; and what by chance is as seldom. */
const MISHAPS_TIMES = 2
const MISHAPS_MORE = 10
const MISHAPS_ERROR = 0.005
/** Boards slow themselves down at a sensor's limit; what brings one so near is not kept. */
const LEAST_HEADROOM = 3

/** By how much each guard may get worse, as a share. */
export type Allowances = Readonly<Record<Guard, number>>

/** Unless the user allows more. */
export const ALLOWANCES: Allowances = {
  p50: 0.05,
  p99: 0.1,
  mean: 0.05,
  throughput: 0.03,
  cpu: 0.1,
  energy: 0.2,
}

/** A ratio of with to without: 0.8 is a fifth less; of the throughput it is one of the time a request takes of it. */
export type Ratio = Interval

/** How a trial stands. */
export type Judgement = {
  goal: Ratio
  guards: Partial<Record<Guard, Ratio>>
  verdict: 'keep' | 'drop' | 'open'
  reason: string
  /** What has got worse than it may, if anything. */
  broken: Broken | null
}

/** Why a guard is broken, and which, where it is one with a margin; certain when its whole interval is beyond that. */
export type Broken = { reason: string; guard: Guard | null; isCertain: boolean }

/** Gives the logarithms of the ratios of pairs. */
const logRatiosBy = (pairs: readonly Pair[], read: (slice: Slice) => number): number[] =>
  pairs.map(({ on, off }) => Math.log(read(on) / read(off)))

const logRatios = (pairs: readonly Pair[], quantity: Goal | Guard): number[] =>
  logRatiosBy(pairs, readerOf(quantity, pairs))

/** The same of what a trial goes by. */
const gainsOf = (pairs: readonly Pair[], aim: Aim): number[] =>
  addsAck(aim) ? logRatiosWithAck(pairs, aim.goal) : logRatios(pairs, aim.goal)

const logRatiosWithAck = (pairs: readonly Pair[], quantity: Goal | Guard): number[] => {
  const read = readerOf(quantity, pairs)
  // A slice in which nothing was acknowledged tells nothing.
  return logRatiosBy(pairs, slice => read(slice) + slice.ack).filter(ratio => !Number.isNaN(ratio))
}

/** Guards that are times: what waits in the card comes on top of them. */
const TIMES: readonly Guard[] = ['p50', 'p99', 'mean']

/** A way to look at a guard: as it is, or with the time until replies are acknowledged. */
type Way = { guard: Guard; isWithAck: boolean; ratios: number[] }

/** Gives the ways to look at a guard. What the card may hold back is looked at in both: neither may get worse. */
const listWays = (pairs: readonly Pair[], guard: Guard, aim: Aim): Way[] => {
  const isTwofold = aim.withAck && TIMES.includes(guard) && guard !== aim.goal
  return [
    { guard, isWithAck: false, ratios: logRatios(pairs, guard) },
    ...(isTwofold ? [{ guard, isWithAck: true, ratios: logRatiosWithAck(pairs, guard) }] : []),
  ].filter(({ ratios }) => ratios.length > 0)
}

/**
 * Judges a trial by its pairs: `keep` when the gain is proven to exceed 3 % and all guards are proven to hold, `drop` when a
 * guard is broken or a gain of 3 % is excluded, `open` while neither is so.
 *
 * A gain is proven by two means that must agree: Wilcoxon's signed-rank test, exact for few pairs at the small error that one
 * look may spend (`alpha`, one-sided); and the 95 % interval of the mean by the bootstrap over pairs, which for the guards
 * is all. docs/statistics.md has the reasons.
 */
export const judge = (
  pairs: readonly Pair[],
  { aim, alpha, allow, random }: { aim: Aim; alpha: number; allow: Allowances; random: Random },
): Judgement => {
  const gains = gainsOf(pairs, aim)
  const interval = bootstrapMean(gains, CONFIDENCE, random)
  const least = Math.log(1 - LEAST_GAIN)
  const watched = watchedIn(pairs).flatMap(guard => listWays(pairs, guard, aim))
  const seenWays = watched.map(way => ({ ...way, ratio: ratioOf(way, random) }))
  const guards = worstOf(seenWays)
  const binding = seenWays.filter(({ guard }) => isGuard(guard, aim))
  const broken = findBroken(pairs, binding, allow)
  const judged = (verdict: Judgement['verdict'], reason: string): Judgement => ({
    goal: exponentiate(interval),
    guards,
    verdict,
    reason,
    broken,
  })
  if (interval.low > least) return judged('drop', `a gain of ${LEAST_GAIN * 100} % is excluded`)
  const isSeen = interval.high < least
  const isProven = isSeen && signedRankTest(gains, least) <= alpha
  const way = interval.estimate < least ? describeAllowing(pairs, binding, allow) : ''
  if (broken?.isCertain === true) return judged('drop', `${broken.reason}${way}`)
  if (!isSeen) return judged('open', 'the noise is larger than what it does')
  const seen = `a gain of more than ${LEAST_GAIN * 100} % is ${isProven ? 'proven' : 'seen'}`
  const unsure = binding.find(({ guard, ratio }) => !(ratio.high <= 1 + allow[guard]))
  if (unsure !== undefined) {
    const most = formatShare(allow[unsure.guard])
    return judged('open', `${seen}, but not that ${nameOf(unsure)} gets worse by ${most} at most${way}`)
  }
  return isProven ? judged('keep', seen) : judged('open', `${seen}, but not by enough pairs to prove it`)
}

/** Is the whole interval of the goal beyond the least gain? Alone that proves nothing. */
export const isGainSeen = ({ goal }: Judgement): boolean => goal.high < 1 - LEAST_GAIN

const LABELS: Readonly<Record<Guard, string>> = {
  p50: 'p50',
  p99: 'p99',
  mean: 'mean',
  throughput: 'throughput',
  cpu: 'CPU time',
  energy: 'energy',
}

const ratioOf = ({ ratios }: Way, random: Random): Ratio =>
  exponentiate(bootstrapMean(ratios, CONFIDENCE, random, GUARD_RESAMPLES))

type Seen = Way & { ratio: Ratio }

/** Of the ways to look at a guard, the worst in each respect. */
const worstOf = (several: readonly Seen[]): Judgement['guards'] => {
  const guards: Judgement['guards'] = {}
  for (const { guard, ratio } of several) {
    const other = guards[guard] ?? ratio
    guards[guard] = {
      estimate: Math.max(ratio.estimate, other.estimate),
      low: Math.max(ratio.low, other.low),
      high: Math.max(ratio.high, other.high),
    }
  }
  return guards
}

const exponentiate = ({ estimate, low, high }: Interval): Ratio => ({
  estimate: Math.exp(estimate),
  low: Math.exp(low),
  high: Math.exp(high),
})

const watchedIn = (pairs: readonly Pair[]): Guard[] =>
  GUARDS.filter(name => name !== 'energy' || energyOf(pairs) !== 'busy')

/** The goal is not a guard of itself, unless something is added to it; and CPU time is a part of what energy is for. */
const isGuard = (name: Guard, aim: Aim): boolean =>
  !((name === aim.goal && !addsAck(aim)) || (aim.goal === 'energy' && name === 'cpu'))

/** What has become worse than it may, if anything; certain when the whole interval is. */
const findBroken = (pairs: readonly Pair[], binding: readonly Seen[], allow: Allowances): Broken | null => {
  const worse = binding
    .filter(({ guard, ratio }) => ratio.estimate > 1 + allow[guard])
    .map(way => ({
      reason: describeWorse(way),
      guard: way.guard,
      isCertain: way.ratio.low > 1 + allow[way.guard],
    }))
  return worse.find(({ isCertain }) => isCertain) ?? findMishap(pairs) ?? findHeat(pairs) ?? worse[0] ?? null
}

/** What a gain may be worth to somebody; what makes requests slower is no price of that kind. */
const COSTS: readonly Guard[] = ['cpu', 'energy']

/** Tells how to let a gain cost what it does, where only that is in its way: in full tens of percent, for the next run varies. */
const describeAllowing = (pairs: readonly Pair[], binding: readonly Seen[], allow: Allowances): string => {
  const isFree = ({ guard, ratio }: Seen): boolean =>
    (COSTS.includes(guard) ? ratio.high : ratio.estimate) <= 1 + allow[guard]
  const held = binding.filter(seen => !isFree(seen))
  if (findMishap(pairs) !== null || findHeat(pairs) !== null) return ''
  const isCost = ({ guard, ratio }: Seen): boolean => COSTS.includes(guard) && Number.isFinite(ratio.high)
  if (held.length === 0 || !held.every(isCost)) return ''
  const options = held.map(
    ({ guard, ratio }) => `--allow ${guard}=+${Math.ceil((ratio.high - 1) * 10) * 10}%`,
  )
  return ` (if a gain is worth that: ${options.join(' ')})`
}

/** What went wrong more often than by accident: far more often, or in most pairs. */
const findMishap = (pairs: readonly Pair[]): Broken | null => {
  const find = (
    read: (slice: Slice) => number,
    describe: (on: number, off: number) => string,
  ): Broken | null => {
    const { on, off } = sumSides(pairs, read)
    const fewer = pairs.map(pair => read(pair.off) - read(pair.on))
    const isWorse =
      on > MISHAPS_TIMES * off + MISHAPS_MORE ||
      (on > off + MISHAPS_MORE && signedRankTest(fewer, 0) <= MISHAPS_ERROR)
    return isWorse ? { reason: describe(on, off), guard: null, isCertain: true } : null
  }
  return (
    find(
      slice => slice.retransmits,
      (on, off) => `TCP sent ${on} segments again, and ${off} without it`,
    ) ??
    find(
      slice => slice.unanswered,
      (on, off) => `${on} requests got no reply, and ${off} without it`,
    )
  )
}

/** What came too hot in a slice with it, and was not when the trial began. */
const findHeat = (pairs: readonly Pair[]): Broken | null => {
  const before = pairs[0]?.off.headroom ?? null
  const told = pairs.flatMap(({ on }) => on.headroom ?? [])
  if (before === null || told.length === 0 || before < LEAST_HEADROOM) return null
  const least = Math.min(...told)
  if (least >= LEAST_HEADROOM) return null
  return {
    reason: `a sensor came within ${least.toFixed(1)} °C of its limit, from ${before.toFixed(1)} °C`,
    guard: null,
    isCertain: true,
  }
}

const nameOf = ({ guard, isWithAck }: Way): string =>
  `the ${LABELS[guard]}${isWithAck ? ', with the time until replies are acknowledged,' : ''}`

const describeWorse = (way: Seen): string => {
  const { guard, ratio } = way
  if (guard === 'throughput') return `the throughput fell by ${formatShare(1 - 1 / ratio.estimate)}`
  const more = formatShare(ratio.estimate - 1)
  return guard === 'cpu' ? `the CPUs were busy for ${more} longer` : `${nameOf(way)} rose by ${more}`
}

/** Tells whether pairs confirm, at that error, that there is a gain at all. */
export const isBetter = (pairs: readonly Pair[], aim: Aim, alpha: number): boolean =>
  signedRankTest(gainsOf(pairs, aim), 0) <= alpha

/** Tells whether any gain is excluded. */
export const isWorse = (pairs: readonly Pair[], aim: Aim, random: Random): boolean =>
  bootstrapMean(gainsOf(pairs, aim), CONFIDENCE, random).low > 0

/**
 * Tells whether a limit is sure to be met by the slices of one side: the upper end of the 95 % interval of the quantity's
 * geometric mean is below it.
 */
export const isSurelyMet = (slices: readonly Slice[], { quantity, ns }: Limit, random: Random): boolean => {
  const logs = slices.map(slice => Math.log(READ[quantity](slice)))
  return bootstrapMean(logs, CONFIDENCE, random).high < Math.log(ns)
}

/** The gain to tell the price of where none was seen: what most would change a setting for. */
const USUAL_GAIN = 0.1

/** How many pairs it would take to prove a gain, which is a share, and whether that gain was seen. */
export type Needed = { pairs: number; gain: number; isSeen: boolean }

/**
 * Gives how many pairs it would take to prove the gain that was seen, and that what is guarded gets no worse than it may, nine
 * times of ten each; or a gain of 10 %, where what was seen is less than can be proven. Null with fewer than two pairs, and where
 * what is guarded got worse than it may, which more of them would rather prove. By the normal approximation for the mean of
 * paired differences.
 */
export const pairsNeeded = (
  pairs: readonly Pair[],
  { aim, alpha, allow }: { aim: Aim; alpha: number; allow: Allowances },
): Needed | null => {
  const gains = gainsOf(pairs, aim)
  if (gains.length < 2) return null
  const seen = 1 - Math.exp(mean(gains))
  const isSeen = seen > LEAST_GAIN * 1.5
  const gain = isSeen ? seen : USUAL_GAIN
  const beyond = Math.log(1 - LEAST_GAIN) - Math.log(1 - gain)
  const guarded = watchedIn(pairs)
    .filter(name => isGuard(name, aim))
    .flatMap(name =>
      listWays(pairs, name, aim).map(({ ratios }) => {
        const room = Math.log(1 + allow[name]) - mean(ratios)
        return room > 0 ? pairsToShow(ratios, room, (1 - CONFIDENCE) / 2) : Number.POSITIVE_INFINITY
      }),
    )
  // Fewer than the exact test takes can't prove anything.
  const needed = Math.max(pairsToShow(gains, beyond, alpha), Math.ceil(Math.log2(1 / alpha)), ...guarded)
  return Number.isFinite(needed) ? { pairs: needed, gain, isSeen } : null
}

/** How many differences it takes to show, at that error, that their mean is on this side of something so far from it. */
const pairsToShow = (differences: readonly number[], distance: number, alpha: number): number => {
  const power = 1.2816
  return Math.ceil(((upperQuantile(alpha) + power) * (deviation(differences) / distance)) ** 2)
}

/** The standard normal quantile of 1 - p, within 0.0005 (Abramowitz and Stegun 1964, 26.2.23). */
const upperQuantile = (p: number): number => {
  const t = Math.sqrt(-2 * Math.log(p))
  return (
    t -
    (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3)
  )
}
