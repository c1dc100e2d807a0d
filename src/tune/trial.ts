import type { Random } from '../statistics/random.js'
import { formatShare } from '../text/units.js'
import { type Allowances, type Judgement, judge, pairsNeeded } from './judge.js'
import type { Looks } from './looks.js'
import type { Goal, Pair, Requests, Slice } from './slice.js'

/** After so many pairs it is looked at early whether a trial can still succeed; that alone never keeps anything. */
const PAIRS_TO_GIVE_UP = [6, 10]
/** A slice may lose so much throughput, or its p99 grow so many times, before the trial ends at once. */
const COLLAPSED_THROUGHPUT = 0.8
const COLLAPSED_P99 = 3
/** Of fewer requests the slowest 1 % are an accident. */
const REQUESTS_FOR_P99 = 300
/** A disturbance of the machine's own looks like a collapse: it takes two of them. */
const COLLAPSES = 2

/** Where a candidate is tried. Both throw the signal's reason when it is aborted meanwhile. */
export type Bench = {
  /** Has the candidate in force or not, and settled. */
  set: (isOn: boolean) => Promise<void>
  /** Looks at the traffic for one slice; for less where `isEnough` is asked now and then, and says so. */
  measure: (isEnough?: (soFar: Requests) => boolean) => Promise<Slice>
}

/** How a trial ended. */
export type TrialResult = {
  pairs: Pair[]
  decision: 'kept' | 'undone' | 'undecided'
  reason: string
  judgement: Judgement | null
  /** Of pairs, to prove what was seen; null when there is nothing to prove. */
  needed: number | null
}

export type TrialOptions = {
  goal: Goal
  looks: Looks
  allow: Allowances
  random: Random
  /** Whether there is time for another block of two pairs. */
  hasTime: () => boolean
}

/**
 * Tries a candidate on live traffic in blocks of four slices, with, without, without, with, or the other way round as
 * chosen by lot: so what changes with time meets both sides alike. Looks at the pairs when planned, and ends when it is
 * decided, or when time is up. When the service collapses under the candidate that is off at once, and out the second time.
 * Leaves it off.
 */
export const runTrial = async (bench: Bench, options: TrialOptions): Promise<TrialResult> => {
  const { goal, looks, allow, random } = options
  const pairs: Pair[] = []
  const end = (
    decision: TrialResult['decision'],
    reason: string,
    judgement: Judgement | null,
  ): TrialResult => ({
    pairs,
    decision,
    reason,
    judgement,
    needed: decision === 'undecided' ? pairsNeeded(pairs, goal, looks.alpha) : null,
  })
  let latest: Judgement | null = null
  let collapses = 0
  let looked = 0
  try {
    while (options.hasTime() && pairs.length < (looks.at.at(-1) ?? 0)) {
      for (const isFirstOn of drawBlock(random)) {
        const pair = await measurePair(bench, isFirstOn, pairs.at(-1)?.off ?? null)
        if (pair === null) continue
        if (typeof pair === 'string') {
          if (++collapses === COLLAPSES) return end('undone', pair, latest)
          continue
        }
        pairs.push(pair)
      }
      // Blocks may lose a pair, so that the number at which to look is passed.
      const isLook = pairs.length >= (looks.at[looked] ?? Number.POSITIVE_INFINITY)
      if (isLook) looked++
      else if (!PAIRS_TO_GIVE_UP.includes(pairs.length)) continue
      latest = judge(pairs, { goal, alpha: isLook ? looks.alpha : 0, allow, random })
      if (latest.verdict === 'keep') return end('kept', latest.reason, latest)
      if (latest.verdict === 'drop') return end('undone', latest.reason, latest)
    }
  } finally {
    await bench.set(false)
  }
  if (pairs.length >= 2) latest = judge(pairs, { goal, alpha: 0, allow, random })
  return end(
    'undecided',
    pairs.length === 0 ? 'there was no time to try it' : 'the noise is larger than what it does',
    latest,
  )
}

/** Draws whether the first pair of a block begins with the candidate; the second then does not, and the other way round. */
const drawBlock = (random: Random): [boolean, boolean] => (random() < 0.5 ? [true, false] : [false, true])

/**
 * Gives the pair, or why the trial has to end; null when something else made the service collapse, which then is no better
 * without the candidate.
 */
const measurePair = async (
  bench: Bench,
  isFirstOn: boolean,
  before: Slice | null,
): Promise<Pair | string | null> => {
  const measureOff = async (): Promise<Slice> => {
    await bench.set(false)
    return bench.measure()
  }
  const first = isFirstOn ? null : await measureOff()
  const reference = first ?? before
  let collapse: string | null = null
  await bench.set(true)
  const on = await bench.measure(soFar => {
    collapse = reference === null ? null : findCollapse(soFar, reference)
    return collapse !== null
  })
  if (collapse === null) return { on, off: first ?? (await measureOff()) }
  const off = await measureOff()
  return reference !== null && findCollapse(off, reference) !== null ? null : collapse
}

const findCollapse = (slice: Requests, reference: Requests): string | null => {
  const throughput = slice.requests / slice.seconds / (reference.requests / reference.seconds)
  if (throughput < COLLAPSED_THROUGHPUT)
    return `stopped at once, twice: the throughput fell by ${formatShare(1 - throughput)}`
  if (slice.requests < REQUESTS_FOR_P99) return null
  const times = slice.p99 / reference.p99
  return times > COLLAPSED_P99
    ? `stopped at once, twice: the p99 became ${times.toFixed(1)} times as long`
    : null
}

/** So many pairs confirm what trials have proven. */
const PAIRS_TO_CONFIRM = 12

/** Gives pairs of slices with something and without it, blocks in random order; fewer when time is up. Leaves it on. */
export const confirm = async (
  bench: Bench,
  { random, hasTime }: Pick<TrialOptions, 'random' | 'hasTime'>,
): Promise<Pair[]> => {
  const pairs: Pair[] = []
  while (pairs.length < PAIRS_TO_CONFIRM && hasTime()) {
    for (const isFirstOn of drawBlock(random)) {
      const pair = await measurePair(bench, isFirstOn, null)
      if (pair !== null && typeof pair !== 'string') pairs.push(pair)
    }
  }
  await bench.set(true)
  return pairs
}
