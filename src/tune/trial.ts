import type { Random } from '../statistics/random.js'
import { formatShare } from '../text/units.js'
import { type Allowances, type Judgement, judge, type Needed, pairsNeeded } from './judge.js'
import type { Looks } from './looks.js'
import type { Aim, Pair, Requests, Slice } from './slice.js'

/** After so many pairs it is looked at early whether a trial can still succeed; that alone never keeps anything. */
const PAIRS_TO_GIVE_UP = [6, 10]
/** A slice may lose so much throughput, or its p99 grow so many times, before it ends at once. */
const COLLAPSED_THROUGHPUT = 0.8
const COLLAPSED_P99 = 3
/** Of so few expected requests, few that come are chance. */
const LEAST_EXPECTED = 50
/** A count that falls short by so many of its standard deviations does not by chance. */
const DEVIATIONS = 4
/** Of fewer requests the slowest 1 % are an accident, or nothing. */
const REQUESTS_FOR_P99 = 100
/** A disturbance of the machine's own looks like a collapse: it takes two of them. */
const COLLAPSES = 2
/** So many pairs in a row that tell nothing: there is no traffic to judge by. */
const LOST_IN_A_ROW = 8

/** A setting that could not be made: the kernel, or what it is made by, refused it. */
export class SettingRefused extends Error {
  override name = 'SettingRefused'
}

/** Where a candidate is tried. All throw the signal's reason when it is aborted meanwhile. */
export type Bench = {
  /** Has the candidate in force or not, and settled. Throws a SettingRefused where it can't be in force. */
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
  /** Of pairs, to prove what was seen, and whether a trial may have as many; null where that is no question. */
  needed: (Needed & { isWithinReach: boolean }) | null
  /** Looks that were spent; with the others it may be tried again, where only the gain was missing. */
  looked: number
  mayRetry: boolean
}

export type TrialOptions = {
  aim: Aim
  looks: Looks
  allow: Allowances
  random: Random
  /** Slices without it, to tell a collapse by. */
  before: readonly Slice[]
  /** Whether there is time for another pair. */
  hasTime: () => boolean
}

/**
 * Tries a candidate on live traffic in pairs of slices, one with it and one without. Which comes first is drawn for each
 * pair: what changes with time meets both sides alike, and the test of the pairs is exact whatever the noise. Looks at the
 * pairs when planned, and ends when it is decided, or when time is up. When the service collapses under the candidate that
 * is off at once, and out the second time. Leaves it off.
 */
export const runTrial = async (bench: Bench, options: TrialOptions): Promise<TrialResult> => {
  const { aim, looks, allow, random } = options
  const pairs: Pair[] = []
  const usual = new Usual(options.before)
  const last = looks.at.at(-1) ?? 0
  const findNeeded = (): TrialResult['needed'] => {
    const needed = pairsNeeded(pairs, { aim, alpha: looks.alpha, allow })
    return needed && { ...needed, isWithinReach: needed.pairs <= last }
  }
  const end = (
    decision: TrialResult['decision'],
    reason: string,
    judgement: Judgement | null,
    mayRetry = false,
  ): TrialResult => ({
    pairs,
    decision,
    reason,
    judgement,
    needed: decision === 'undecided' ? findNeeded() : null,
    looked,
    mayRetry,
  })
  let latest: Judgement | null = null
  let collapses = 0
  let looked = 0
  let lostInARow = 0
  try {
    while (pairs.length < last && options.hasTime()) {
      const pair = await measurePair(bench, random() < 0.5, usual)
      if (typeof pair === 'string') {
        if (++collapses === COLLAPSES) return end('undone', `stopped at once, twice: ${pair}`, latest)
        continue
      }
      if ('lost' in pair) {
        if (++lostInARow === LOST_IN_A_ROW) return end('undecided', describeLost(pair.lost), latest)
        continue
      }
      lostInARow = 0
      if (aim.withAck && (Number.isNaN(pair.on.ack) || Number.isNaN(pair.off.ack)))
        return end('undecided', 'it takes acknowledgements to tell, and there were none in a slice', latest)
      pairs.push(pair)
      const isLook = pairs.length === looks.at[looked]
      if (isLook) looked++
      else if (!PAIRS_TO_GIVE_UP.includes(pairs.length)) continue
      latest = judge(pairs, { aim, alpha: isLook ? looks.alpha : 0, allow, random })
      if (latest.verdict === 'keep') return end('kept', latest.reason, latest)
      if (latest.verdict === 'drop') return end('undone', latest.reason, latest, latest.broken === null)
    }
  } catch (error) {
    if (!(error instanceof SettingRefused)) throw error
    return end('undone', error.message, latest)
  } finally {
    await bench.set(false)
  }
  if (pairs.length >= 2) latest = judge(pairs, { aim, alpha: 0, allow, random })
  const first = looks.at[0] ?? 0
  const reason =
    pairs.length < first
      ? `there was time for ${pairs.length} pairs of slices, and fewer than ${first} prove nothing`
      : (latest?.reason ?? '')
  return end('undecided', reason, latest, true)
}

/** What the traffic is like without a candidate: the worst of it, for a candidate to be told from the machine's own noise. */
class Usual {
  #rate = Number.POSITIVE_INFINITY
  #p99 = 0

  constructor(slices: readonly Slice[]) {
    for (const slice of slices) this.add(slice)
  }

  add({ requests, seconds, p99 }: Requests): void {
    this.#rate = Math.min(this.#rate, requests / seconds)
    if (requests >= REQUESTS_FOR_P99) this.#p99 = Math.max(this.#p99, p99)
  }

  /** Tells in what way the service has collapsed, if it has. */
  findCollapse({ requests, seconds, p99 }: Requests): string | null {
    const expected = this.#rate * seconds
    const isFew =
      Number.isFinite(expected) &&
      expected >= LEAST_EXPECTED &&
      requests < COLLAPSED_THROUGHPUT * expected - DEVIATIONS * Math.sqrt(expected)
    if (isFew) return `the throughput fell by ${formatShare(1 - requests / expected)}`
    if (requests < REQUESTS_FOR_P99 || this.#p99 === 0) return null
    const times = p99 / this.#p99
    return times > COLLAPSED_P99 ? `the p99 became ${times.toFixed(1)} times as long` : null
  }
}

/** Whether there is enough in a slice to compare it. */
const tells = ({ requests }: Slice): boolean => requests >= REQUESTS_FOR_P99

/** A pair that tells nothing, by its slice without the candidate, which is never cut short, or the other where that has less. */
type Lost = { lost: Slice }

/** Why so many pairs in a row tell nothing, and what traffic it takes where that was too little. */
const describeLost = ({ requests, seconds }: Slice): string => {
  const what = 'the traffic stops by itself, with it and without it'
  if (requests >= REQUESTS_FOR_P99) return what
  const rate = Math.ceil(REQUESTS_FOR_P99 / seconds)
  return `${what}: ${requests} requests in a slice of ${seconds.toFixed(1)} s, where it takes ${REQUESTS_FOR_P99} or more (${rate} a second)`
}

/**
 * Gives the pair, or what collapsed under the candidate; or that it is lost, when there was too little traffic to tell, or when
 * it was no better without the candidate, so that something else made it collapse.
 */
const measurePair = async (bench: Bench, isFirstOn: boolean, usual: Usual): Promise<Pair | string | Lost> => {
  const measureOff = async (): Promise<Slice> => {
    await bench.set(false)
    return bench.measure()
  }
  const first = isFirstOn ? null : await measureOff()
  await bench.set(true)
  const on = await bench.measure(soFar => usual.findCollapse(soFar) !== null)
  const collapse = usual.findCollapse(on)
  const off = first !== null && collapse === null ? first : await measureOff()
  if (collapse !== null) return usual.findCollapse(off) === null ? collapse : { lost: off }
  // A slice without it that is as bad is no gain of what came with it.
  const isOffBad = usual.findCollapse(off) !== null
  usual.add(off)
  if (!isOffBad && tells(on) && tells(off)) return { on, off }
  return { lost: tells(off) ? on : off }
}

/** So many pairs confirm what trials have proven. */
export const PAIRS_TO_CONFIRM = 12

/** What confirming gave: the pairs, and what collapsed in the meantime, twice. */
export type Confirmation = { pairs: Pair[]; collapse: string | null }

/**
 * Gives pairs of slices with something and without it, in random order; fewer when time is up, or when the service
 * collapses. Leaves it on, unless it does.
 */
export const confirm = async (
  bench: Bench,
  { random, before, hasTime }: Pick<TrialOptions, 'random' | 'before' | 'hasTime'>,
): Promise<Confirmation> => {
  const pairs: Pair[] = []
  const usual = new Usual(before)
  let collapses = 0
  while (pairs.length < PAIRS_TO_CONFIRM && hasTime()) {
    const pair = await measurePair(bench, random() < 0.5, usual)
    if (typeof pair === 'string') {
      if (++collapses < COLLAPSES) continue
      await bench.set(false)
      return { pairs, collapse: pair }
    }
    if (!('lost' in pair)) pairs.push(pair)
  }
  await bench.set(true)
  return { pairs, collapse: null }
}
