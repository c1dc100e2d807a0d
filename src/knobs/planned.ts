import { readBootId } from '../journal/boot.js'
import type { Entry } from '../journal/entry.js'
import { readNetns } from '../system/services.js'
import type { Change, Effect } from './knob.js'
import { isOfNetns } from './places/place.js'

/** Gives the number of the next run of taut that changes settings. */
export const nextRun = (entries: readonly Entry[]): number => Math.max(0, ...entries.map(({ id }) => id)) + 1

/** Gives the journal's entry of a change that is about to be made, in this boot and network namespace. */
export const planEntry = (
  { place, from, to }: Change,
  { id, knob, why, profile }: Pick<Entry, 'id' | 'knob' | 'why' | 'profile'>,
): Entry => ({
  id,
  knob,
  place,
  netns: isOfNetns(place) ? readNetns('self') : null,
  from,
  to,
  why,
  profile,
  at: new Date().toISOString(),
  boot: readBootId(),
  kept: false,
  state: 'planned',
})

/** Gives the effect that a knob's `watch` sees; where it has none, reading back is all there is, and no effect was seen. */
export const seeEffect = async (look: (() => Promise<Effect>) | undefined): Promise<Effect> =>
  (await look?.()) ?? { state: 'written', evidence: 'it reads back' }
