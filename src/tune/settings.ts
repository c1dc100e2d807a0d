import type { Entry } from '../journal/entry.js'
import { type Guard, startGuard } from '../journal/guard.js'
import { readJournal, writeJournal } from '../journal/journal.js'
import type { Lock } from '../journal/lock.js'
import type { StateFolder } from '../journal/state-folder.js'
import { findChanges, type Plan } from '../knobs/apply.js'
import type { Change, Effect, Knob, Look, Selection } from '../knobs/knob.js'
import { describePlace, isSameValue, writePlace } from '../knobs/places/place.js'
import { readSettled } from '../knobs/places/settled.js'
import { nextRun, planEntry, seeEffect, seeIgnored, writtenEntry } from '../knobs/planned.js'
import { type Undone, undo } from '../knobs/undo.js'
import { InterferenceError, SettingRefused } from './refused.js'

/** One change of a candidate: what the place held, what it is to get, what it got, and what was seen of that. */
type Tried = {
  entry: Entry
  knob: Knob
  selection: Selection
  written: string | null
  effect: Effect | null
}

/** Settings that are turned on and off together. */
export type Candidate = {
  readonly plans: readonly Plan[]
  isOn: boolean
  /** It is, or has been: only then is there anything of it in the journal. */
  wasOn: boolean
  /** But for those that somebody else has set meanwhile. */
  changes: Tried[]
  followers: Tried[]
  /** The names of all places that it would set. */
  readonly places: ReadonlySet<string>
}

/** Tells whether two candidates would set the same place. */
export const overlaps = (a: Candidate, b: Candidate): boolean =>
  [...a.places].some(place => b.places.has(place))

/** A place that somebody else has set. */
class PlaceTaken extends InterferenceError {
  constructor(
    readonly entry: Entry,
    now: string,
    last: string,
  ) {
    super(
      `someone else has set ${describePlace(entry.place)} to ${now} meanwhile, where it had ${last}: that stays`,
    )
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

  /** Gives what a candidate would change; nothing is changed yet. */
  prepare(plans: readonly Plan[]): Candidate {
    const changes = plans.flatMap(plan => plan.changes.map(change => this.#try(plan, change)))
    const places = new Set(changes.map(({ entry }) => describePlace(entry.place)))
    const candidate: Candidate = { plans, isOn: false, wasOn: false, changes, followers: [], places }
    this.#candidates.push(candidate)
    return candidate
  }

  /**
   * Turns a candidate on or off, unless it is so. Throws an InterferenceError; a SettingRefused when it can't be turned on,
   * after which it is to be turned off; and an Error when what was there before can't be put back, or the guard is gone.
   */
  async set(candidate: Candidate, isOn: boolean): Promise<void> {
    if (isOn && !candidate.isOn) this.#guard.check()
    try {
      await this.#switch(candidate, isOn)
    } catch (error) {
      if (error instanceof PlaceTaken) this.#letGo(error.entry)
      if (error instanceof InterferenceError) throw error
      throw isOn ? new SettingRefused(messageOf(error), { cause: error }) : error
    }
  }

  async #switch(candidate: Candidate, isOn: boolean): Promise<void> {
    if (candidate.isOn === isOn) return
    // Before the first write: if that fails halfway, the rest is still to be put back.
    candidate.isOn = isOn
    if (isOn) {
      const isFirst = !candidate.wasOn
      candidate.wasOn = true
      // Not earlier: what is only planned counts as taut's whatever its value, and is somebody else's until now.
      if (this.#moveLast(candidate) || isFirst) this.#save()
      for (const change of candidate.changes) await write(change, change.entry.to)
      // From now on the journal can tell what taut wrote from what somebody else does.
      if (isFirst) this.#save()
      await this.#follow(candidate)
    } else {
      await this.#putAllBack(candidate)
    }
  }

  /**
   * The journal is undone from its end, and by it what is there now is of the last one who set a place: which of two that were tried
   * at one place has to be the one that is on. Tells whether there was another behind it.
   */
  #moveLast(candidate: Candidate): boolean {
    const behind = this.#candidates.slice(this.#candidates.indexOf(candidate) + 1)
    if (!behind.some(other => other.wasOn && overlaps(other, candidate))) return false
    this.#candidates = [...this.#candidates.filter(other => other !== candidate), candidate]
    return true
  }

  async #putAllBack(candidate: Candidate): Promise<void> {
    for (const change of [...candidate.followers].reverse()) await putBack(change)
    for (const change of [...candidate.changes].reverse()) await putBack(change)
    // Only when there is less to tell: what waits for the disk after each switch off, and after none on, is not the same traffic.
    if (candidate.followers.length === 0) return
    candidate.followers = []
    this.#save()
  }

  /** Takes a candidate back for good. */
  async drop(candidate: Candidate): Promise<void> {
    await this.set(candidate, false)
    this.#forget(candidate)
  }

  /** Takes a candidate back for good, but for what somebody else has set of it meanwhile. */
  async abandon(candidate: Candidate): Promise<void> {
    candidate.isOn = false
    for (;;) {
      try {
        await this.#putAllBack(candidate)
        break
      } catch (error) {
        if (!(error instanceof PlaceTaken)) throw error
        this.#letGo(error.entry)
      }
    }
    this.#forget(candidate)
  }

  #forget(candidate: Candidate): void {
    this.#candidates = this.#candidates.filter(other => other !== candidate)
    this.#save()
  }

  /**
   * Throws an InterferenceError unless every place of a candidate holds what it was set to, or what it had at the beginning while
   * the candidate is off. What is gone holds nothing.
   */
  async check(candidate: Candidate): Promise<void> {
    for (const change of [...candidate.changes, ...candidate.followers]) {
      const { place, from } = change.entry
      const expected = candidate.isOn ? (change.written ?? from) : from
      const now = await readSettled(place, expected)
      if (now === null || isSameValue(place, now, expected)) continue
      this.#letGo(change.entry)
      throw new PlaceTaken(change.entry, now, expected)
    }
  }

  /** Turns a candidate on, looks for its effects, and gives of each that has none the evidence. Throws as `set` does, and when the signal is aborted. */
  async verify(candidate: Candidate, signal: AbortSignal): Promise<string[]> {
    const looks: [Tried, Look | undefined][] = []
    for (const change of candidate.changes)
      looks.push([change, await change.knob.watch?.(change.entry, change.selection)])
    await this.set(candidate, true)
    // Side by side, for some look for a second.
    await Promise.all(
      looks.map(async ([change, look]) => {
        change.effect =
          (isUnmoved(change) ? await seeIgnored(change.entry) : null) ?? (await seeEffect(look, signal))
      }),
    )
    return candidate.changes.flatMap(({ entry, effect }) =>
      effect?.state === 'no-effect' ? `${describePlace(entry.place)}: ${effect.evidence}` : [],
    )
  }

  /** Lets what is on stay when taut ends; gives the journal's entries. */
  async keep(): Promise<Entry[]> {
    const kept: Entry[] = []
    for (const { isOn, changes, followers } of this.#candidates) {
      if (!isOn) continue
      for (const { entry, written, effect } of [...changes, ...followers])
        kept.push({ ...entry, to: written ?? entry.to, state: effect?.state ?? 'written', kept: true })
    }
    writeJournal(this.#folder, [...this.#before, ...kept])
    this.#candidates = []
    return kept
  }

  /** Puts back what is not kept, and lets the guard go; gives what could not be put back. */
  async close(): Promise<Undone[]> {
    // If this throws, the guard is not let go, and does it once more.
    const { undone } = await undo(this.#folder, ({ id, kept }) => id === this.id && !kept)
    await this.#guard.dismiss()
    return undone.filter(({ left }) => left !== null)
  }

  async #follow(candidate: Candidate): Promise<void> {
    for (const plan of candidate.plans) {
      const { knob, value, selection } = plan.wish
      for (const change of await findChanges((await knob.follow?.(value, selection)) ?? [])) {
        const tried = this.#try(plan, change)
        candidate.followers.push(tried)
        this.#save()
        await write(tried, change.to)
        this.#save()
      }
    }
  }

  #try({ wish: { knob, why, selection } }: Plan, change: Change): Tried {
    const entry = planEntry(change, { id: this.id, knob: knob.name, why, profile: null })
    return { entry, knob, selection, written: null, effect: null }
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
    const tried = this.#candidates.flatMap(({ wasOn, changes, followers }) =>
      wasOn ? [...changes, ...followers] : [],
    )
    writeJournal(this.#folder, [...this.#before, ...tried.map(({ entry }) => entry)])
  }
}

/** Right after it was written it held what it had before: some drivers take a value only with what goes with it. */
const isUnmoved = ({ entry: { place, from }, written }: Tried): boolean =>
  written !== null && isSameValue(place, written, from)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Throws an Error when what was there before does not come back: then it must not be forgotten. */
const putBack = async (change: Tried): Promise<void> => {
  const { place, from } = change.entry
  await write(change, from)
  const now = await readSettled(place, from)
  if (now !== null && !isSameValue(place, now, from))
    throw new Error(`cannot put ${describePlace(place)} back to ${from}: it still is ${now}`)
}

const write = async (change: Tried, value: string): Promise<void> => {
  const { place, from } = change.entry
  const last = change.written ?? from
  const now = await readSettled(place, last, from)
  // A thread or a device that is gone has nothing to be set.
  if (now === null) return
  if (!isSameValue(place, now, last) && !isSameValue(place, now, from))
    throw new PlaceTaken(change.entry, now, last)
  if (!isSameValue(place, now, value)) {
    if (value !== from) await change.knob.recheck?.({ place, to: value, from })
    try {
      await writePlace(place, value)
    } catch (error) {
      const what = `${change.knob.name} to ${value} (${describePlace(place)})`
      throw new Error(`cannot set ${what}: ${messageOf(error)}`, { cause: error })
    }
  }
  // The kernel rounds some.
  change.written = (await readSettled(place, value)) ?? value
  if (value !== from) change.entry = writtenEntry(change.entry, change.written)
}
