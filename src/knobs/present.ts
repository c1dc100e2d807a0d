import { type Change, Unavailable } from './knob.js'
import { describePlace, type Place, readPlace } from './places/place.js'

/** Gives what a place will hold once some changes are made; null where there is none. */
export const readAfter = async (place: Place, before: readonly Change[]): Promise<string | null> =>
  before.findLast(change => describePlace(change.place) === describePlace(place))?.to ?? readPlace(place)

/** Gives those of the places that are there. Throws an Unavailable with the reason when none is. */
export const keepPresent = async <T extends { place: Place }>(
  items: readonly T[],
  reason: string,
): Promise<T[]> => {
  const values = await Promise.all(items.map(({ place }) => readPlace(place)))
  const present = items.filter((_, index) => values[index] !== null)
  if (present.length === 0) throw new Unavailable(reason)
  return present
}
