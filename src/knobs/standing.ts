import type { Entry } from '../journal/entry.js'
import { showsOwnDevices } from '../system/own-devices.js'
import { readNetns } from '../system/services.js'
import { findEnd } from './end.js'
import { listHeld } from './places/given.js'
import { NOT_HELD } from './places/latency.js'
import { findNicByIndex, findNicOf, moveToNic } from './places/nic-index.js'
import { isSameValue, type Place } from './places/place.js'
import { readSettled } from './places/settled.js'

/**
 * How a change stands: in force as written; no longer there to be undone; lapsed, so that neither it nor what was before
 * is in force; changed by someone else; or out of reach for now. `place` is where it is now.
 */
export type Standing =
  | { is: 'in-force'; now: string; place: Place }
  | { is: 'over'; now: string | null; because: string }
  | { is: 'lapsed'; now: string; place: Place; because: string }
  | { is: 'changed-by-other'; now: string; place: Place }
  | { is: 'out-of-reach'; now: null; because: string }

/** Tells how a change of the journal stands on this machine, in this boot and network namespace. */
export const findStanding = async (entry: Entry): Promise<Standing> => {
  try {
    return await look(entry)
  } catch (error) {
    return outOfReach(error instanceof Error ? error.message : String(error))
  }
}

const outOfReach = (reason: string): Standing => ({
  is: 'out-of-reach',
  now: null,
  because: `it can't be read now: ${reason}`,
})

const look = async (entry: Entry): Promise<Standing> => {
  const end = findEnd(entry)
  if (end !== null) return { is: 'over', now: null, because: end }
  if (entry.netns !== null && entry.netns !== readNetns('self'))
    return {
      is: 'out-of-reach',
      now: null,
      because:
        'it is in another network namespace (try: ip netns exec … taut revert, or nsenter --target PID --net --mount taut revert)',
    }
  const place = findPlace(entry)
  if (place === null) return outOfReach('/sys is of another network namespace')
  const now = await readSettled(place, entry.from, entry.to)
  if (now === null) return outOfReach('the kernel does not show it here')
  return compare(entry, place, now)
}

/** A network device may have another name now, and one of another namespace the same index. */
const findPlace = ({ place, ifindex }: Entry): Place | null => {
  if (ifindex === undefined || findNicOf(place) === null) return place
  const name = showsOwnDevices() ? findNicByIndex(ifindex) : null
  return name === null ? null : moveToNic(place, name)
}

const compare = (entry: Entry, place: Place, now: string): Standing => {
  const { from, to, state } = entry
  // Killed between writing and noting it, taut can't have noted either what the kernel made of the value.
  const isAll = state === 'planned'
  if (place.kind === 'affinity' && listHeld(place, entry, { isAll }).length > 0)
    return { is: 'in-force', now, place }
  if (place.kind === 'latency' && now === NOT_HELD && to !== NOT_HELD) {
    const because = 'the process that held it has ended'
    return from === NOT_HELD ? { is: 'over', now, because } : { is: 'lapsed', now, place, because }
  }
  if (isSameValue(place, now, from)) return { is: 'over', now, because: 'it holds what it held before' }
  const isOurs = place.kind !== 'affinity' && (isAll || isSameValue(place, now, to))
  return { is: isOurs ? 'in-force' : 'changed-by-other', now, place }
}
