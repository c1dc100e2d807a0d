import type { Nic } from '../system/nics.js'
import type { Service } from '../system/services.js'
import type { KnobName } from './names.js'
import type { Place } from './places/place.js'

/** What of the machine a setting is for. */
export type Selection = {
  /** CPUs that are online. */
  online: number[]
  /** The network devices chosen; of the knobs of a device, each is for all of these. */
  nics: Nic[]
  /** The CPUs chosen; null when none were, and a knob is for all of them. */
  cpus: number[] | null
  /** The service chosen; null when none was. */
  service: Service | null
  /** The CPUs of interrupts that settings before this one move, once they are made. */
  moves: ReadonlyMap<number, readonly number[]>
  /** All that settings before this one change, once they are made. */
  before: readonly Change[]
}

/** The ways to say what of the machine a setting is for. */
export const SELECTOR_NAMES = ['nic', 'cpus', 'service'] as const
export type SelectorName = (typeof SELECTOR_NAMES)[number]

/** What is to be written, and where. */
export type Assignment = { place: Place; to: string }

/** What will be written where there is nothing yet, with the command for a shell. */
export type Foreseen = { where: string; from: string; to: string; command: string }

/** What is seen of a change after it was written: its effect, none, or nothing yet that would tell. */
export type Effect = { state: 'verified' | 'no-effect' | 'written'; evidence: string }

/** Looks for an effect, for a second at most; throws when the signal is aborted meanwhile. */
export type Look = (signal: AbortSignal) => Promise<Effect>

/** A change that was made: what a place held before, and what was written. */
export type Change = Assignment & { from: string }

/**
 * One setting of the machine, in a form that all share. Reading and writing are the places' own (`places/place.ts`), and
 * undoing is writing what was there before.
 */
export type Knob = {
  name: KnobName
  /** What it does, in a sentence. */
  about: string
  /** The files or interfaces, for people. */
  where: string
  /** The kernel's default. */
  default: string
  /** The values it takes, for people. */
  values: string
  /** When it helps, and what the breakdown shows then. */
  helps: string
  /** When it harms, and what it costs. */
  harms: string
  /** How its effect is seen. */
  effect: string
  /**
   * Set where it changes how long packets wait before the first stage, or which stage is the first: acknowledgements wait there as
   * well, and tell.
   */
  isBeforeStages?: true
  /** Which selector it is for: its options and those of a profile's setting. */
  selector: SelectorName | null
  /** Throws an InvalidValue for what no machine takes; `plan` refuses what this one does not take as well. */
  check: (value: string) => void
  /**
   * Gives what would be written for a value: data, nothing is touched. Throws an InvalidValue when the value is wrong or
   * would harm, and an Unavailable when this machine has nothing to set.
   */
  plan: (value: string, selection: Selection) => Promise<Assignment[]>
  /** More to be written once the rest is, as for threads that the kernel starts only then. */
  follow?: (value: string, selection: Selection) => Promise<Assignment[]>
  /** What of that can be told before the rest is written, where `follow` does not find it yet. */
  foresee?: (value: string, selection: Selection) => Promise<Foreseen[]>
  /** Looks right before a change is made at what became of those before it. Throws an Error where it would harm. */
  recheck?: (change: Change) => Promise<void>
  /** What on this machine may undo the change behind our back, and what to do; null where nothing does. */
  warn?: () => string | null
  /**
   * Looks for the effect of a change that is written and reads back as written: the effect itself and not the return
   * code. It is called before the change, and what it gives once all is written. Absent where reading back is all there
   * is to see: then it is written, and not verified.
   */
  watch?: (change: Change, selection: Selection) => Promise<Look>
}

/**
 * Does a selector say what a setting is for? Words for CPUs, in its value or its other selector, may go by the interrupts of the
 * network device.
 */
export const isSelectedBy = (
  { selector }: Knob,
  name: SelectorName,
  words: readonly (string | undefined)[],
): boolean => selector === name || (name === 'nic' && words.some(word => /^(?:not-)?irq$/.test(word ?? '')))

/** A value that a knob does not take, or that would lock out or harm: the message says why, and what it takes. */
export class InvalidValue extends Error {
  override name = 'InvalidValue'
}

/** This machine has nothing for a knob to set. */
export class Unavailable extends Error {
  override name = 'Unavailable'
}
