import type { Random } from '../statistics/random.js'
import { isBetter, isWorse } from './judge.js'
import { type Bench, FLAWED_IN_A_ROW, measurePair } from './pair.js'
import { InterferenceError } from './refused.js'
import type { Aim, Pair } from './slice.js'
import type { Usual } from './usual.js'

/** After so many pairs it is asked whether trials' gains are still there; as long as there is time. */
const LOOKS = [12, 17, 24, 34]
/** How likely what does nothing is to look as good as that, over all looks: no gain of 3 % is asked for. */
const MAY_BE_NOTHING = 0.05

/** So many pairs confirm what is plain, and fewer than so many can't tell anything. */
export const PAIRS_TO_CONFIRM = LOOKS[0] as number
export const FEWEST_TO_CONFIRM = 6

/** What confirming gave; null where there were too few pairs to tell; `isInterfered` when somebody else set what was compared. */
export type Confirmation = {
  pairs: Pair[]
  isBetter: boolean | null
  collapse: string | null
  isInterfered: boolean
}

export type ConfirmOptions = {
  aim: Aim
  random: Random
  usual: Usual
  /** Whether something else is still open that more pairs would tell. */
  isOpen: (pairs: readonly Pair[]) => boolean
  hasTime: () => boolean
  /** Is told how many pairs there are, with each more. */
  onPair?: ((pairs: number) => void) | undefined
}

/**
 * Compares what trials have proven with being without it, in pairs of slices in random order, until it is better, or worse, or
 * there is no more time, or no traffic to tell by. Each of the looks may spend a quarter of the error; the one with which time is up, which has nothing to
 * do with what was seen, all that is left. Leaves it on, unless the service collapses.
 */
export const confirm = async (bench: Bench, options: ConfirmOptions): Promise<Confirmation> => {
  const { aim, random, usual, isOpen, hasTime, onPair } = options
  const pairs: Pair[] = []
  const each = MAY_BE_NOTHING / LOOKS.length
  const last = LOOKS.at(-1) ?? 0
  let spent = 0
  const end = (better: boolean | null, rest: Partial<Confirmation> = {}): Confirmation => ({
    pairs,
    isBetter: better,
    collapse: null,
    isInterfered: false,
    ...rest,
  })
  let verdict: boolean | null = null
  try {
    let flawedInARow = 0
    while (pairs.length < last && flawedInARow < FLAWED_IN_A_ROW && hasTime()) {
      const result = await measurePair(bench, random() < 0.5, usual)
      if ('collapse' in result) {
        await bench.set(false)
        return end(false, { collapse: result.collapse })
      }
      if (!('pair' in result)) {
        flawedInARow++
        continue
      }
      flawedInARow = 0
      pairs.push(result.pair)
      onPair?.(pairs.length)
      // With the last one, or when time is up, all is spent below.
      if (!LOOKS.includes(pairs.length) || pairs.length === last || !hasTime()) continue
      spent += each
      if (isBetter(pairs, aim, each)) verdict = isOpen(pairs) ? null : true
      else if (isWorse(pairs, aim, random)) verdict = false
      if (verdict !== null) break
    }
    await bench.set(true)
  } catch (error) {
    if (!(error instanceof InterferenceError)) throw error
    return end(null, { isInterfered: true })
  }
  if (pairs.length < FEWEST_TO_CONFIRM) return end(null)
  return end(verdict ?? isBetter(pairs, aim, MAY_BE_NOTHING - spent))
}
