import type { Bench } from './pair.js'

/**
 * Where candidates are tried: turns each on or off, takes one back for good, and looks at the traffic. What sets something throws
 * an InterferenceError where somebody else has set that meanwhile.
 */
export type Host<Candidate> = {
  set: (candidate: Candidate, isOn: boolean) => Promise<void>
  /** Sets a candidate and looks for its effect: why it has none, or null. Throws a SettingRefused. */
  verify: (candidate: Candidate) => Promise<string | null>
  /** Throws an InterferenceError unless all of it is as it was set, on or off. */
  check: (candidate: Candidate) => Promise<void>
  drop: (candidate: Candidate) => Promise<void>
  /** Takes back for good what of it nobody else has set, and leaves the rest to them. */
  abandon: (candidate: Candidate) => Promise<void>
  /** Whether both would set the same place: they can't be on together. */
  overlap: (a: Candidate, b: Candidate) => boolean
  /** Whether it changes how long packets wait before the first stage: then acknowledgements tell. */
  isBeforeStages: (candidate: Candidate) => boolean
  measure: Bench['measure']
}
