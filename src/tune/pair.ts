import { type Pair, REQUESTS_TO_TELL, type Slice, type SoFar } from './slice.js'
import type { Usual } from './usual.js'

/** Where a candidate is tried. All throw the signal's reason when it is aborted meanwhile. */
export type Bench = {
  /**
   * Has the candidate in force or not, and settled. Throws a SettingRefused where it can't be in force, and an InterferenceError
   * where somebody else has set what is its.
   */
  set: (isOn: boolean) => Promise<void>
  /**
   * Looks at the traffic for one slice, or for less: `isEnough` is asked now and then, and once more at the end. Throws an
   * InterferenceError where what is in force was not so to the end.
   */
  measure: (isEnough?: (soFar: SoFar) => boolean) => Promise<Slice>
}

/** Of the requests of a slice, more than this share may not be missing in its counts: it would move its percentiles. */
const MOST_LOST = 0.001

/** So many pairs in a row that tell nothing: there is no traffic to judge by. */
export const FLAWED_IN_A_ROW = 8

/** Why there is no telling from a slice. */
type Flaw = 'few' | 'inexact'

const findFlaw = ({ requests, lost }: Slice): Flaw | null => {
  if (requests < REQUESTS_TO_TELL) return 'few'
  return lost > MOST_LOST * requests ? 'inexact' : null
}

/** What came of a pair of slices: the pair, or what collapsed under the candidate, or the slice that tells nothing. */
export type PairResult = { pair: Pair } | { collapse: string } | { flawed: Slice }

/**
 * Measures a slice with a candidate and one without. When the service collapses under it, it is off at once, and it is no collapse
 * when the slice without it, right after, shows that such slices come by themselves. A slice without it that is so bad is not
 * used either: those with it are not.
 */
export const measurePair = async (bench: Bench, isFirstOn: boolean, usual: Usual): Promise<PairResult> => {
  const first = isFirstOn ? null : await measureSide(bench, usual, false)
  const on = await measureSide(bench, usual, true)
  const isSuspect = on.findCollapse() !== null
  const off = first !== null && !isSuspect ? first : await measureSide(bench, usual, false)
  const isOffBad = off.findCollapse() !== null
  usual.add(off.slice)
  const collapse = isOffBad || !isSuspect ? null : on.findCollapse()
  if (collapse !== null) return { collapse }
  if (isOffBad || isSuspect) return { flawed: off.slice }
  const flawed = [off.slice, on.slice].find(slice => findFlaw(slice) !== null)
  return flawed === undefined ? { pair: { on: on.slice, off: off.slice } } : { flawed }
}

type Side = { slice: Slice; findCollapse: () => string | null }

const measureSide = async (bench: Bench, usual: Usual, isOn: boolean): Promise<Side> => {
  await bench.set(isOn)
  let findCollapse: Side['findCollapse'] = () => null
  // The slice without it is looked at as often: looking takes time, too.
  const slice = await bench.measure(soFar => {
    findCollapse = () => usual.findCollapse(soFar)
    return findCollapse() !== null && isOn
  })
  return { slice, findCollapse }
}

/** Says why pairs with such a slice tell nothing, and what it would take. */
export const describeFlawed = (slice: Slice): string => {
  const { requests, seconds, lost } = slice
  switch (findFlaw(slice)) {
    case 'few':
      return `the traffic stops by itself, with it and without it: ${requests} requests in a slice of ${seconds.toFixed(1)} s, where it takes ${REQUESTS_TO_TELL} or more (${Math.ceil(REQUESTS_TO_TELL / seconds)} a second)`
    case 'inexact':
      return `${lost} events were lost in a slice of ${requests} requests, too many to go by it (taut measure tells by which reason)`
    default:
      return 'the service does as badly without it now and then'
  }
}
