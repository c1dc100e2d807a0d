import type { Host } from './host.js'
import type { Bench } from './pair.js'
import { InterferenceError } from './refused.js'

/** Heeds what somebody else sets of candidates in the course of a run: it is theirs for the rest of it. */
export class OtherHands<Candidate> {
  readonly #taken = new Set<Candidate>()

  /** `onTaken` is told of each, once what nobody else has set of it is back. */
  constructor(
    private readonly host: Host<Candidate>,
    private readonly onTaken: (candidate: Candidate, reason: string) => void,
  ) {}

  /** Whether somebody else has set what is this candidate's. */
  has(candidate: Candidate): boolean {
    return this.#taken.has(candidate)
  }

  /** Whether somebody else has set a place that this candidate would set as well. */
  hold(candidate: Candidate): boolean {
    return [...this.#taken].some(other => this.host.overlap(other, candidate))
  }

  /** Does something with a candidate; throws an InterferenceError where somebody else has set it meanwhile. */
  async heed<Result>(candidate: Candidate, action: () => Promise<Result>): Promise<Result> {
    try {
      return await action()
    } catch (error) {
      if (error instanceof InterferenceError) {
        this.#taken.add(candidate)
        await this.host.abandon(candidate)
        this.onTaken(candidate, error.message)
      }
      throw error
    }
  }

  /** The same, and no error where somebody else has; tells whether it was done. */
  async unlessTaken(candidate: Candidate, action: () => Promise<void>): Promise<boolean> {
    try {
      await this.heed(candidate, action)
      return true
    } catch (error) {
      if (error instanceof InterferenceError) return false
      throw error
    }
  }

  /** Gives where candidates are tried together, beside others that are to stay as they are. */
  benchOf(several: readonly Candidate[], beside: () => readonly Candidate[]): Bench {
    return {
      set: async isOn => {
        for (const candidate of isOn ? several : several.toReversed())
          if (!this.has(candidate)) await this.heed(candidate, () => this.host.set(candidate, isOn))
      },
      measure: async isEnough => {
        const slice = await this.host.measure(isEnough)
        // What was set otherwise meanwhile tells nothing.
        for (const candidate of new Set([...several, ...beside()]))
          if (!this.has(candidate)) await this.heed(candidate, () => this.host.check(candidate))
        return slice
      },
    }
  }
}
