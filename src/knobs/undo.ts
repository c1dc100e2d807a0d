import { performance } from 'node:perf_hooks'
import type { Entry } from '../journal/entry.js'
import { readJournal, writeJournal } from '../journal/journal.js'
import type { StateFolder } from '../journal/state-folder.js'
import { takeShare } from '../system/priority.js'
import { findEnd } from './end.js'
import { leavesDeaf } from './places/coalesce.js'
import { putBackAffinity } from './places/given.js'
import { describePlace, type Place, readPlace, writePlace } from './places/place.js'
import { readSettled } from './places/settled.js'
import { findStanding } from './standing.js'

/**
 * So often at most the journal is written anew meanwhile: to write it through takes long on a memory card, and there may be
 * hundreds of queues. What it still names is found to be back.
 */
const SAVE_MS = 100

/** What became of a change that was to be taken back; `left` says why it stays, `over` why there was nothing to do. */
export type Undone = {
  entry: Entry
  now: string | null
  left: string | null
  over: string | null
  isForeign: boolean
}

/**
 * Takes changes of the journal back, the newest first, and gives what became of each, in that order. What someone else
 * has changed since is left, unless `force` is set; and so is what a later change that stays has changed again, what of a
 * card's coalescing would not go with one that stays, and what can't be read now. Each is out of the journal soon after it is back.
 * May be interrupted at any point and called again. A journal that can't be written (`unwritten`) keeps nothing from being put
 * back: what it still names is then found to be back. It does not give way to the service any more. Needs the lock.
 */
export const undo = async (
  folder: StateFolder,
  isChosen: (entry: Entry) => boolean,
  { force = false } = {},
): Promise<{ undone: Undone[]; unwritten: unknown }> => {
  takeShare()
  let entries = readJournal(folder)
  let unwritten: unknown = null
  let written = { entries, ms: performance.now() }
  const save = (): void => {
    if (entries === written.entries) return
    written = { entries, ms: performance.now() }
    try {
      writeJournal(folder, entries)
    } catch (error) {
      unwritten = error
    }
  }
  const undone: Undone[] = []
  for (const entry of entries.filter(isChosen).reverse()) {
    const outcome = await undoOne(entry, entries.slice(entries.indexOf(entry) + 1), force)
    undone.push(outcome)
    if (outcome.left !== null) continue
    entries = entries.filter(other => other !== entry)
    if (performance.now() - written.ms >= SAVE_MS) save()
  }
  save()
  return { undone, unwritten }
}

/**
 * Takes out of the journal what is over because what had it is gone, as with an earlier boot: else it would grow with every
 * boot. Needs the lock.
 */
export const forgetEnded = (folder: StateFolder): void => {
  const entries = readJournal(folder)
  const rest = entries.filter(entry => !hasEnded(entry))
  if (rest.length < entries.length) writeJournal(folder, rest)
}

const hasEnded = (entry: Entry): boolean => {
  try {
    return findEnd(entry) !== null
  } catch {
    return false
  }
}

const undoOne = async (entry: Entry, later: readonly Entry[], force: boolean): Promise<Undone> => {
  const stay = (now: string | null, left: string, isForeign = false): Undone => ({
    entry,
    now,
    left,
    over: null,
    isForeign,
  })
  try {
    const cover = findCover(entry, later)
    if (cover !== null)
      return stay(
        await readPlace(entry.place),
        `change ${cover.id} set it again (try: taut revert ${cover.id})`,
      )
    const standing = await findStanding(entry)
    if (standing.is === 'over')
      return { entry, now: standing.now, left: null, over: standing.because, isForeign: false }
    if (standing.is === 'out-of-reach') return stay(null, standing.because)
    if (standing.is === 'changed-by-other' && !force)
      return stay(
        standing.now,
        `someone else has changed it since (try: taut revert ${entry.id} --force)`,
        true,
      )
    const { place } = standing
    const partner = later.find(other => isOfSameCard(other, entry))
    if (partner !== undefined && place.kind === 'coalesce' && (await leavesDeaf(place, entry.from)))
      return stay(
        standing.now,
        `with ${describePlace(partner.place)} of change ${partner.id} a single packet might not interrupt (try: taut revert ${partner.id})`,
      )
    return await putBack(entry, place, force)
  } catch (error) {
    return stay(null, error instanceof Error ? error.message : String(error))
  }
}

const putBack = async (entry: Entry, place: Place, force: boolean): Promise<Undone> => {
  const { from } = entry
  if (place.kind === 'affinity')
    await putBackAffinity(place, entry, { isAll: force || entry.state === 'planned' })
  else {
    await writePlace(place, from)
    await readSettled(place, from)
  }
  const { is, now } = await findStanding(entry)
  // Of a process, threads that have CPUs of their own by now keep them.
  const isBack = is === 'over' || (is === 'changed-by-other' && place.kind === 'affinity')
  const left = isBack
    ? null
    : `the kernel took ${from} and ${now === null ? "can't be asked" : `kept ${now}`}`
  return { entry, now, left, over: null, isForeign: false }
}

/** Tells whether two changes are of the same place. */
export const isSamePlace = (a: Entry, b: Entry): boolean =>
  a.netns === b.netns && a.boot === b.boot && describePlace(a.place) === describePlace(b.place)

/** Gives the first of later changes that has set the same place again, null where none has. */
export const findCover = (entry: Entry, later: readonly Entry[]): Entry | null =>
  later.find(other => isSamePlace(other, entry)) ?? null

const isOfSameCard = (a: Entry, b: Entry): boolean =>
  a.netns === b.netns &&
  a.boot === b.boot &&
  a.place.kind === 'coalesce' &&
  b.place.kind === 'coalesce' &&
  a.place.nic === b.place.nic
