import type { Entry } from '../journal/entry.js'
import { type Guard, startGuard } from '../journal/guard.js'
import { readJournal, writeJournal } from '../journal/journal.js'
import type { Lock } from '../journal/lock.js'
import type { StateFolder } from '../journal/state-folder.js'
import type { Assignment, Change, Effect, Knob, Look, Selection } from './knob.js'
import { describePlace, isSameValue, writePlace } from './places/place.js'
import { readSettled } from './places/settled.js'
import { nextRun, planEntry, seeEffect, seeIgnored, writtenEntry } from './planned.js'
import { readAfter } from './present.js'
import { isSamePlace, type Undone, undo } from './undo.js'

/** A knob, the value that it is to get, for what of the machine, and why. */
export type Wish = { knob: Knob; value: string; why: string; selection: Selection }

/** What would be written for a wish: each place with what it holds now. */
export type Plan = { wish: Wish; changes: Change[] }

/** A change that was made, as it is in the journal, and what was seen of it. */
export type Applied = { entry: Entry; evidence: string }

/** A change could not be made; all that were made before are taken back, but for those in `left`. */
export class ApplyError extends Error {
  override name = 'ApplyError'

  constructor(
    message: string,
    readonly left: Undone[],
    options: ErrorOptions,
  ) {
    super(message, options)
  }
}

/**
 * Gives what a wish would change, without what is so already, or will be once what is before it is done. Throws as `plan` of the
 * knob does.
 */
export const planWish = async (wish: Wish): Promise<Plan> => ({
  wish,
  changes: await findChanges(await wish.knob.plan(wish.value, wish.selection), wish.selection.before),
})

/** Gives what of the assignments would change something, after changes that come before. */
export const findChanges = async (
  assignments: readonly Assignment[],
  before: readonly Change[] = [],
): Promise<Change[]> => {
  const changes: Change[] = []
  for (const { place, to } of assignments) {
    const from = await readAfter(place, before)
    if (from !== null && !isSameValue(place, from, to)) changes.push({ place, to, from })
  }
  return changes
}

/**
 * Makes the changes of plans, in order, looks for their effect, and keeps them. Each is in the journal, on disk, before
 * it is made. If one can't be made, or a place no longer is as planned, or the signal is aborted, all are taken back
 * (ApplyError); if this process dies or can't do that, a guard does. Needs the lock.
 */
export const applyPlans = async (
  { folder, lock, signal }: { folder: StateFolder; lock: Lock; signal: AbortSignal },
  plans: readonly Plan[],
  profile: string | null,
): Promise<Applied[]> => {
  const before = readJournal(folder)
  const guard = await startGuard(folder, lock)
  const applying = new Applying(folder, guard, before, profile)
  try {
    await requireUnchanged(plans)
    for (const plan of plans) await applying.apply(plan, signal)
    const applied = await applying.keep(signal)
    await guard.dismiss()
    return applied
  } catch (error) {
    const left = await takeBack(folder, applying.id, error)
    // Only now: until all is back it is the guard's, too.
    await guard.dismiss()
    throw new ApplyError(explain(error), left, { cause: error })
  }
}

const explain = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const takeBack = async (folder: StateFolder, id: number, cause: unknown): Promise<Undone[]> => {
  try {
    const { undone } = await undo(folder, entry => entry.id === id)
    return undone.filter(({ left }) => left !== null)
  } catch (error) {
    throw new Error(
      `${explain(cause)}; what was changed is still to be put back (${explain(error)}): the guard tries that now (see taut status)`,
      { cause },
    )
  }
}

/** Between planning and doing someone was asked, and others may have been at work. */
const requireUnchanged = async (plans: readonly Plan[]): Promise<void> => {
  const seen = new Set<string>()
  for (const { place, from } of plans.flatMap(({ changes }) => changes)) {
    // What is changed twice was seen the first time.
    const name = describePlace(place)
    if (seen.has(name)) continue
    seen.add(name)
    const now = await readSettled(place, from)
    if (now === null || !isSameValue(place, now, from))
      throw new Error(
        `${name} was ${from} when this was planned, and is ${now ?? 'gone'} now: someone else is at work (try again)`,
      )
  }
}

/** Of what a later setting of the same run has set again. */
const SET_AGAIN: Effect = { state: 'written', evidence: 'a later setting has set it again' }

type Watched = { entry: Entry; look: Look | undefined }

/** One run of taut that changes settings; nobody else writes to the journal meanwhile. */
class Applying {
  readonly id: number
  #made: Watched[] = []

  constructor(
    readonly folder: StateFolder,
    readonly guard: Guard,
    readonly before: readonly Entry[],
    readonly profile: string | null,
  ) {
    this.id = nextRun(before)
  }

  async apply({ wish, changes }: Plan, signal: AbortSignal): Promise<void> {
    for (const change of changes) await this.#make(wish, change, signal)
    if (wish.knob.follow === undefined) return
    const more = await wish.knob.follow(wish.value, wish.selection)
    for (const change of await findChanges(more)) await this.#make(wish, change, signal)
  }

  async #make(wish: Wish, { place, to, from: planned }: Change, signal: AbortSignal): Promise<void> {
    const { knob, why, selection } = wish
    // Once more: what is put back is what was there right before, and a change of this run may have changed this as well.
    const from = await readSettled(place, planned, to)
    if (from === null) throw new Error(`cannot set ${knob.name} to ${to}: ${describePlace(place)} is gone`)
    if (isSameValue(place, from, to)) return
    signal.throwIfAborted()
    this.guard.check()
    const { id, profile } = this
    const entry = planEntry({ place, to, from }, { id, knob: knob.name, why, profile })
    this.#save(entry)
    const look = await knob.watch?.({ place, to, from }, selection)
    try {
      await knob.recheck?.({ place, to, from })
      await writePlace(place, to)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`cannot set ${knob.name} to ${to} (${describePlace(place)}): ${reason}`, {
        cause: error,
      })
    }
    const now = await readSettled(place, to)
    if (now === null) throw new Error(`cannot set ${knob.name} to ${to}: ${describePlace(place)} is gone`)
    const isUnmoved = isSameValue(place, now, from)
    const written: Entry = isUnmoved ? { ...entry, state: 'written' } : writtenEntry(entry, now)
    this.#save(written)
    // Some drivers take a value only with what is written after it.
    this.#made.push({
      entry: written,
      look: isUnmoved ? async () => (await seeIgnored(entry)) ?? seeEffect(look, signal) : look,
    })
  }

  /** Looks for the effects, once all is written, for some show only then; and lets the changes stay. */
  async keep(signal: AbortSignal): Promise<Applied[]> {
    const applied = await Promise.all(
      this.#made.map(async ({ entry, look }, index): Promise<Applied> => {
        const isLast = !this.#made.slice(index + 1).some(later => isSamePlace(later.entry, entry))
        const { state, evidence } = isLast ? await seeEffect(look, signal) : SET_AGAIN
        return { entry: { ...entry, state, kept: true }, evidence }
      }),
    )
    signal.throwIfAborted()
    this.guard.check()
    writeJournal(this.folder, [...this.before, ...applied.map(({ entry }) => entry)])
    return applied
  }

  /** Puts what was made on disk, and with it the entry, which is not made yet or was just now. */
  #save(entry: Entry): void {
    writeJournal(this.folder, [...this.before, ...this.#made.map(({ entry }) => entry), entry])
  }
}
