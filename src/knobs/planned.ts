import { readBootId } from '../journal/boot.js'
import type { Entry } from '../journal/entry.js'
import { readText } from '../system/files.js'
import { readNetns } from '../system/services.js'
import type { Change, Effect, Look } from './knob.js'
import { findNicOf, readIfindex } from './places/nic-index.js'
import { describePlace, isOfNetns, isSameValue, type Place, readPlace } from './places/place.js'
import { noEffect } from './watching.js'

/** Of the times in /proc (USER_HZ), a second, on all that Linux runs on but Alpha. */
const TICKS_A_SECOND = 100

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
  ...findIfindex(place),
  from,
  to,
  why,
  profile,
  at: new Date().toISOString(),
  boot: readBootId(),
  ticks: Math.floor(Number((readText('/proc/uptime') ?? '').split(' ')[0]) * TICKS_A_SECOND),
  kept: false,
  state: 'planned',
})

const findIfindex = (place: Place): Pick<Entry, 'ifindex'> => {
  const nic = findNicOf(place)
  const ifindex = nic === null ? null : readIfindex(nic)
  return ifindex === null ? {} : { ifindex }
}

/**
 * Gives the entry of a change that is made, with what its place holds then: the kernel rounds some. From now on a value that is
 * neither that nor the one before is someone else's, where before any might have been taut's.
 */
export const writtenEntry = (entry: Entry, now: string): Entry => ({
  ...entry,
  to: isSameValue(entry.place, now, entry.to) ? entry.to : now,
  state: 'written',
})

/** Tells that the kernel took a value and kept the one before, where it still has that; null where not. */
export const seeIgnored = async ({ place, from }: Pick<Entry, 'place' | 'from'>): Promise<Effect | null> => {
  const now = await readPlace(place)
  return now !== null && isSameValue(place, now, from)
    ? noEffect(`${describePlace(place)} still is ${now}`)
    : null
}

/** Gives the effect that a knob's `watch` sees; where it has none, reading back is all there is, and no effect was seen. */
export const seeEffect = async (look: Look | undefined, signal: AbortSignal): Promise<Effect> =>
  (await look?.(signal)) ?? { state: 'written', evidence: 'it reads back' }
