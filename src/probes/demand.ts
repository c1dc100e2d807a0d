/** After so many requests it can be told whether a service needs something. */
const REQUESTS_TO_TELL = 1000
/** A service needs what at least one in so many of its requests does, unless it is told otherwise. */
const REQUESTS_A_NEED = 1000

/** What a service has needed so far: of so many requests, so many. */
export type Need = { requests: number; needed: number }

/**
 * Something that only some services need, though every service pays for it: on until enough requests have hardly needed
 * it, and on again, for good, once more of them would have.
 */
export class OnDemand {
  readonly #turnOn: () => () => void
  readonly #requestsANeed: number
  #turnOff: (() => void) | null
  #last: Need = { requests: 0, needed: 0 }
  #settled = false

  /**
   * Takes what turns it on and gives what turns it off, and turns it on; and of how many requests one has to need it. Throws
   * what that throws, now and in `adapt`.
   */
  constructor(turnOn: () => () => void, requestsANeed = REQUESTS_A_NEED) {
    this.#turnOn = turnOn
    this.#requestsANeed = requestsANeed
    this.#turnOff = turnOn()
  }

  /** To be called now and then with what was needed since the start. */
  adapt(now: Need): void {
    const requests = now.requests - this.#last.requests
    const needed = now.needed - this.#last.needed
    const isNeeded = needed * this.#requestsANeed >= Math.max(requests, 1)
    const isMissed = isNeeded && this.#turnOff === null
    if (this.#settled || (requests < REQUESTS_TO_TELL && !isMissed)) return
    this.#last = now
    if (isNeeded) {
      this.#settled = true
      this.#turnOff ??= this.#turnOn()
    } else {
      this.#turnOff?.()
      this.#turnOff = null
    }
  }
}
