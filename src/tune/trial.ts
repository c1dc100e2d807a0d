import type { Random } from '../statistics/random.js'
import { type Allowances, isGainSeen, type Judgement, judge, type Needed, pairsNeeded } from './judge.js'
import type { Looks } from './looks.js'
import { type Bench, describeFlawed, FLAWED_IN_A_ROW, measurePair } from './pair.js'
import { InterferenceError, SettingRefused } from './refused.js'
import type { Aim, Pair } from './slice.js'
import type { Usual } from './usual.js'

/** After so many pairs it is looked at early whether a trial can still succeed; that alone never keeps anything. */
const PAIRS_TO_GIVE_UP = [6, 10]

/** What became of a candidate; `interfered` when somebody else has set what is its meanwhile. */
export type Decision = 'kept' | 'undone' | 'undecided' | 'interfered'

/** How a trial ended. */
export type TrialResult = {
  pairs: Pair[]
  decision: Decision
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
  /** What the traffic is like without it; learns from the slices without it. */
  usual: Usual
  /** Whether there is time for another pair. */
  hasTime: () => boolean
  /** Whether there is time for so many more, which make the first look, though that is not left to the last comparison. */
  canReachFirstLook: (pairs: number) => boolean
  /** Whether there is time for so many more, which may prove a gain that is seen, though that is not left to other trials. */
  canProve: (pairs: number) => boolean
  /** Is told how many pairs there are, with each more. */
  onPair?: ((pairs: number) => void) | undefined
}

/**
 * Tries a candidate on live traffic in pairs of slices, one with it and one without. Which comes first is drawn for each
 * pair: what changes with time meets both sides alike, and the test of the pairs is exact whatever the noise. Looks at the
 * pairs when planned, and ends when it is decided, when the service collapses under the candidate, when somebody else sets what
 * is tried, or when time is up. Leaves it off.
 */
export const runTrial = async (bench: Bench, options: TrialOptions): Promise<TrialResult> => {
  const trial = new Trial(bench, options)
  let result: TrialResult
  try {
    result = await trial.run()
  } catch (error) {
    if (error instanceof InterferenceError) result = trial.end('interfered', error.message)
    else if (error instanceof SettingRefused) result = trial.end('undone', error.message)
    else {
      await bench.set(false)
      throw error
    }
  }
  try {
    await bench.set(false)
  } catch (error) {
    // It may have had no effect for that reason.
    if (error instanceof InterferenceError) return trial.end('interfered', error.message)
    throw error
  }
  return result
}

class Trial {
  readonly #pairs: Pair[] = []
  #latest: Judgement | null = null
  #looked = 0

  constructor(
    private readonly bench: Bench,
    private readonly options: TrialOptions,
  ) {}

  async run(): Promise<TrialResult> {
    const { aim, looks, random, usual, hasTime, onPair } = this.options
    const last = looks.at.at(-1) ?? 0
    let flawedInARow = 0
    while (this.#pairs.length < last && (hasTime() || this.#mayGoOn())) {
      const result = await measurePair(this.bench, random() < 0.5, usual)
      if ('collapse' in result) return this.end('undone', `stopped at once: ${result.collapse}`)
      if ('flawed' in result) {
        if (++flawedInARow === FLAWED_IN_A_ROW) return this.end('undecided', describeFlawed(result.flawed))
        continue
      }
      flawedInARow = 0
      const { pair } = result
      if (aim.withAck && (Number.isNaN(pair.on.ack) || Number.isNaN(pair.off.ack)))
        return this.end('undecided', 'it takes acknowledgements to tell, and there were none in a slice')
      this.#pairs.push(pair)
      onPair?.(this.#pairs.length)
      const judgement = this.#look()
      if (judgement?.verdict === 'keep') return this.end('kept', judgement.reason)
      if (judgement?.verdict === 'drop')
        return this.end('undone', judgement.reason, judgement.broken === null)
    }
    return this.#endUndecided()
  }

  /**
   * Its share of the time is up, but there is some left, which is worth more here than with another candidate: fewer pairs than the
   * first look takes are in vain; and a gain that is seen may be proven at the look that has as many as that should take.
   */
  #mayGoOn(): boolean {
    const { looks, canReachFirstLook, canProve } = this.options
    const count = this.#pairs.length
    const [first = 0] = looks.at
    if (this.#looked === 0) return canReachFirstLook(first - count)
    const judgement = this.#judge(0)
    if (!isGainSeen(judgement) || judgement.broken !== null) return false
    const needed = this.#findNeeded()
    if (needed?.isSeen !== true) return false
    const look = looks.at.find((pairs, number) => number >= this.#looked && pairs >= needed.pairs)
    return look !== undefined && canProve(look - count)
  }

  end(decision: Decision, reason: string, mayRetry = false): TrialResult {
    return {
      pairs: this.#pairs,
      decision,
      reason,
      judgement: this.#latest,
      needed: decision === 'undecided' ? this.#findNeeded() : null,
      looked: this.#looked,
      mayRetry,
    }
  }

  /** Judges the pairs where a look is planned, or where it may be given up. */
  #look(): Judgement | null {
    const { looks } = this.options
    const isLook = this.#pairs.length === looks.at[this.#looked]
    if (isLook) this.#looked++
    else if (!PAIRS_TO_GIVE_UP.includes(this.#pairs.length)) return null
    this.#latest = this.#judge(isLook ? looks.alpha : 0)
    return this.#latest
  }

  #judge(alpha: number): Judgement {
    const { aim, allow, random } = this.options
    return judge(this.#pairs, { aim, alpha, allow, random })
  }

  #endUndecided(): TrialResult {
    const count = this.#pairs.length
    if (count >= 2) this.#latest = this.#judge(0)
    const first = this.options.looks.at[0] ?? 0
    const reason =
      count < first
        ? `there was time for ${count} pairs of slices, and fewer than ${first} prove nothing`
        : (this.#latest?.reason ?? '')
    return this.end('undecided', reason, true)
  }

  #findNeeded(): TrialResult['needed'] {
    const { aim, looks, allow } = this.options
    const needed = pairsNeeded(this.#pairs, { aim, alpha: looks.alpha, allow })
    return needed && { ...needed, isWithinReach: needed.pairs <= (looks.at.at(-1) ?? 0) }
  }
}
