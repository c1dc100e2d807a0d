import { statSync } from 'node:fs'
import { readBootId } from '../journal/boot.js'
import type { Entry } from '../journal/entry.js'
import { readJournal, writeJournal } from '../journal/journal.js'
import type { StateFolder } from '../journal/state-folder.js'
import { listEntries, listNumbered } from '../system/files.js'
import { readNetns } from '../system/services.js'
import { describePlace, isSameValue, readPlace, writePlace } from './places/place.js'
import { readSettled } from './places/settled.js'

/** How a change stands: in force as written, no longer there to be undone, changed by someone else, or out of reach. */
export type Standing =
  | { is: 'in-force'; now: string }
  | { is: 'over'; now: string | null; because: string }
  | { is: 'changed-by-other'; now: string }
  | { is: 'elsewhere'; now: null; because: string }

/** What became of a change that was to be taken back; `left` says why it stays. */
export type Undone = { entry: Entry; now: string | null; left: string | null; isForeign: boolean }

/** Tells how a change of the journal stands on this machine, in this boot and network namespace. Throws as reading does. */
export const findStanding = async (entry: Entry): Promise<Standing> => {
  if (entry.boot !== readBootId())
    return { is: 'over', now: null, because: 'the machine has booted since, and the kernel has forgotten it' }
  if (entry.netns !== null && entry.netns !== readNetns('self'))
    return isNetnsAlive(entry.netns)
      ? {
          is: 'elsewhere',
          now: null,
          because: 'it is in another network namespace (try: ip netns exec … taut revert)',
        }
      : { is: 'over', now: null, because: 'its network namespace is gone' }
  const now = await readSettled(entry.place, entry.from, entry.to)
  if (now === null) return { is: 'over', now, because: 'it is gone' }
  if (isSameValue(entry.place, now, entry.from))
    return { is: 'over', now, because: 'it holds what it held before' }
  // Killed between writing and noting it, taut can't have noted either what the kernel made of the value.
  const isOurs = entry.state === 'planned' || isSameValue(entry.place, now, entry.to)
  return { is: isOurs ? 'in-force' : 'changed-by-other', now }
}

/**
 * Takes changes of the journal back, the newest first, and gives what became of each, in that order. What someone else
 * has changed since is left, unless `force` is set; and so is what a later change that stays has changed again. Each is
 * out of the journal once it is back. May be interrupted at any point and called again. A journal that can't be written
 * (`unwritten`) keeps nothing from being put back: what it still names is then found to be back. Needs the lock.
 */
export const undo = async (
  folder: StateFolder,
  isChosen: (entry: Entry) => boolean,
  { force = false } = {},
): Promise<{ undone: Undone[]; unwritten: unknown }> => {
  let entries = readJournal(folder)
  let unwritten: unknown = null
  const undone: Undone[] = []
  for (const entry of entries.filter(isChosen).reverse()) {
    const outcome = await undoOne(entry, entries.slice(entries.indexOf(entry) + 1), force)
    undone.push(outcome)
    if (outcome.left !== null) continue
    entries = entries.filter(other => other !== entry)
    try {
      writeJournal(folder, entries)
    } catch (error) {
      unwritten = error
    }
  }
  return { undone, unwritten }
}

const undoOne = async (entry: Entry, later: readonly Entry[], force: boolean): Promise<Undone> => {
  const stay = (now: string | null, left: string, isForeign = false): Undone => ({
    entry,
    now,
    left,
    isForeign,
  })
  try {
    const cover = later.find(other => isSamePlace(other, entry))
    if (cover !== undefined)
      return stay(
        await readPlace(entry.place),
        `change ${cover.id} set it again (try: taut revert ${cover.id})`,
      )
    const standing = await findStanding(entry)
    if (standing.is === 'over') return { entry, now: standing.now, left: null, isForeign: false }
    if (standing.is === 'elsewhere') return stay(null, standing.because)
    if (standing.is === 'changed-by-other' && !force)
      return stay(standing.now, 'someone else has changed it since (try: taut revert --force)', true)
    await writePlace(entry.place, entry.from)
    const now = await readSettled(entry.place, entry.from)
    return now === null || isSameValue(entry.place, now, entry.from)
      ? { entry, now, left: null, isForeign: false }
      : stay(now, `the kernel took ${entry.from} and kept ${now}`)
  } catch (error) {
    return stay(null, error instanceof Error ? error.message : String(error))
  }
}

const isSamePlace = (a: Entry, b: Entry): boolean =>
  a.netns === b.netns && a.boot === b.boot && describePlace(a.place) === describePlace(b.place)

const NAMED_NETNS = '/run/netns'

/** A namespace lives as long as a process is in it, or a name leads to it. */
const isNetnsAlive = (inode: number): boolean => {
  const isNamed = listEntries(NAMED_NETNS).some(name => isInode(`${NAMED_NETNS}/${name}`, inode))
  return isNamed || listNumbered('/proc').some(pid => readNetns(pid) === inode)
}

const isInode = (path: string, inode: number): boolean =>
  statSync(path, { throwIfNoEntry: false })?.ino === inode
