/** After so many requests of which none needed it, the service is taken not to need it. */
const REQUESTS_TO_TELL = 1000

/** What a service has needed so far: of so many requests, so many. */
export type Need = { requests: number; needed: number }

/**
 * Something that only some services need, though every service pays for it: on until enough requests have done without
 * it, and on again, for good, once a request would have needed it.
 */
export class OnDemand {
  readonly #turnOn: () => () => void
  #turnOff: (() => void) | null
  #settled = false

  /** Takes what turns it on and gives what turns it off, and turns it on. Throws what that throws, now and in `adapt`. */
  constructor(turnOn: () => () => void) {
    this.#turnOn = turnOn
    this.#turnOff = turnOn()
  }

  /** To be called now and then with what was needed since the start. */
  adapt({ requests, needed }: Need): void {
    if (this.#settled) return
    if (needed > 0) {
      this.#settled = true
      this.#turnOff ??= this.#turnOn()
    } else if (requests >= REQUESTS_TO_TELL && this.#turnOff !== null) {
      this.#turnOff()
      this.#turnOff = null
    }
  }
}
