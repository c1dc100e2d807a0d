import type { Entry } from '../journal/entry.js'
import { type Guard, startGuard } from '../journal/guard.js'
import { readJournal, writeJournal } from '../journal/journal.js'
import type { Lock } from '../journal/lock.js'
import type { StateFolder } from '../journal/state-folder.js'
import { findChanges, type Plan } from '../knobs/apply.js'
import type { Change, Effect, Knob, Selection } from '../knobs/knob.js'
import { describePlace, isSameValue, readPlace, writePlace } from '../knobs/places/place.js'
import { readSettled } from '../knobs/places/settled.js'
import { nextRun, planEntry, seeEffect } from '../knobs/planned.js'
import { type Undone, undo } from '../knobs/undo.js'

/** One change of a candidate: what the place held, what it is to get, and what it got. */
type Tried = { entry: Entry; knob: Knob; selection: Selection; written: string | null }

/** Settings that are turned on and off together. */
export type Candidate = {
  readonly plans: readonly Plan[]
  isOn: boolean
  changes: Tried[]
  followers: Tried[]
}

/** Tells whether two candidates would set the same place. */
export const overlaps = (a: Candidate, b: Candidate): boolean => {
  const places = new Set(a.changes.map(({ entry }) => describePlace(entry.place)))
  return b.changes.some(({ entry }) => places.has(describePlace(entry.place)))
}

/** A place holds what neither taut nor the beginning has put there: somebody else is at work. */
export class InterferenceError extends Error {
  override name = 'InterferenceError'

  constructor(
    message: string,
    readonly entry: Entry,
  ) {
    super(message)
  }
}

/**
 * The settings of a run of tuning. Each is in the journal, on disk, before it is first written, and stays there as not kept: so
 * it may be on or off whenever taut dies, and the guard puts it back. Closing puts back all that is not kept.
 */
export class TrialSettings {
  readonly id: number
  readonly #folder: StateFolder
  readonly #before: Entry[]
  readonly #guard: Guard
  #candidates: Candidate[] = []

  private constructor(folder: StateFolder, guard: Guard) {
    this.#folder = folder
    this.#guard = guard
    this.#before = readJournal(folder)
    this.id = nextRun(this.#before)
  }

  /** Starts the guard. Needs the lock. */
  static async open(folder: StateFolder, lock: Lock): Promise<TrialSettings> {
    return new TrialSettings(folder, await startGuard(folder, lock))
  }

  /** Notes what a candidate would change; nothing is changed yet. */
  prepare(plans: readonly Plan[]): Candidate {
    const changes = plans.flatMap(plan => plan.changes.map(change => this.#try(plan, change)))
    const candidate: Candidate = { plans, isOn: false, changes, followers: [] }
    this.#candidates.push(candidate)
    this.#save()
    return candidate
  }

  /** Turns a candidate on or off, unless it is so. Throws an InterferenceError, and as writing does. */
  async set(candidate: Candidate, isOn: boolean): Promise<void> {
    try {
      await this.#switch(candidate, isOn)
    } catch (error) {
      if (error instanceof InterferenceError) this.#letGo(error.entry)
      throw error
    }
  }

  async #switch(candidate: Candidate, isOn: boolean): Promise<void> {
    if (candidate.isOn === isOn) return
    // Before the first write: if that fails halfway, the rest is still to be put back.
    candidate.isOn = isOn
    if (isOn) {
      for (const change of candidate.changes) await write(change, change.entry.to)
      await this.#follow(candidate)
    } else {
      for (const change of [...candidate.followers].reverse()) await write(change, change.entry.from)
      for (const change of [...candidate.changes].reverse()) await write(change, change.entry.from)
      candidate.followers = []
      this.#save()
    }
  }

  /** Takes a candidate back for good. */
  async drop(candidate: Candidate): Promise<void> {
    await this.set(candidate, false)
    this.#candidates = this.#candidates.filter(other => other !== candidate)
    this.#save()
  }

  /** Sets a candidate that is off, looks for its effects, and gives them by place. */
  async verify(candidate: Candidate): Promise<Map<string, Effect>> {
    const looks: [string, (() => Promise<Effect>) | undefined][] = []
    for (const { entry, knob, selection } of candidate.changes)
      looks.push([describePlace(entry.place), await knob.watch?.(entry, selection)])
    await this.set(candidate, true)
    return new Map(
      await Promise.all(
        looks.map(async ([name, look]): Promise<[string, Effect]> => [name, await seeEffect(look)]),
      ),
    )
  }

  /** Lets what is on stay when taut ends; gives the journal's entries. */
  async keep(effects: ReadonlyMap<string, Effect>): Promise<Entry[]> {
    const kept: Entry[] = []
    for (const { isOn, changes, followers } of this.#candidates) {
      if (!isOn) continue
      for (const { entry } of [...changes, ...followers]) {
        const now = (await readPlace(entry.place)) ?? entry.to
        const state = effects.get(describePlace(entry.place))?.state ?? 'verified'
        kept.push({ ...entry, to: now, state, kept: true })
      }
    }
    writeJournal(this.#folder, [...this.#before, ...kept])
    this.#candidates = []
    return kept
  }

  /** Puts back what is not kept, and lets the guard go; gives what could not be put back. */
  async close(): Promise<Undone[]> {
    try {
      const { undone } = await undo(this.#folder, ({ id, kept }) => id === this.id && !kept)
      return undone.filter(({ left }) => left !== null)
    } finally {
      await this.#guard.dismiss()
    }
  }

  async #follow(candidate: Candidate): Promise<void> {
    for (const plan of candidate.plans) {
      const { knob, value, selection } = plan.wish
      for (const change of await findChanges((await knob.follow?.(value, selection)) ?? [])) {
        const tried = this.#try(plan, change)
        candidate.followers.push(tried)
        this.#save()
        await write(tried, change.to)
      }
    }
  }

  #try({ wish: { knob, why, selection } }: Plan, change: Change): Tried {
    const entry = planEntry(change, { id: this.id, knob: knob.name, why, profile: null })
    return { entry, knob, selection, written: null }
  }

  /** What somebody else has set is theirs: it is not put back either. */
  #letGo(entry: Entry): void {
    for (const candidate of this.#candidates) {
      candidate.changes = candidate.changes.filter(change => change.entry !== entry)
      candidate.followers = candidate.followers.filter(change => change.entry !== entry)
    }
    this.#save()
  }

  #save(): void {
    const tried = this.#candidates.flatMap(({ changes, followers }) => [...changes, ...followers])
    writeJournal(this.#folder, [...this.#before, ...tried.map(({ entry }) => entry)])
  }
}

const write = async (change: Tried, value: string): Promise<void> => {
  const { place, from } = change.entry
  const last = change.written ?? from
  const now = await readSettled(place, last, from)
  // A thread or a device that is gone has nothing to be set.
  if (now === null) return
  if (!isSameValue(place, now, last) && !isSameValue(place, now, from))
    throw new InterferenceError(
      `someone else has set ${describePlace(place)} to ${now} meanwhile, where it had ${last}: that stays`,
      change.entry,
    )
  if (!isSameValue(place, now, value)) await writePlace(place, value)
  // The kernel rounds some.
  change.written = (await readSettled(place, value)) ?? value
}
