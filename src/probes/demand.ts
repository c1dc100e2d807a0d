import type { Link, Program } from 'libbpf-ts'

/** After so many requests of which none needed a probe, the service is taken not to need it. */
const REQUESTS_TO_TELL = 1000

/** What a service has needed so far: for each probe that only some need, how many of its requests did. */
export type Need = { requests: number; needed: number }

/**
 * A probe that only some services need, though every service pays for it: attached until enough requests have done
 * without it, and again, for good, once a request would have needed it.
 */
export class ProbeOnDemand {
  readonly program: Program
  #link: Link | null
  #settled = false

  /** Takes a program that is loaded, and attaches it. */
  constructor(program: Program) {
    this.program = program
    this.#link = program.attach()
  }

  /** To be called now and then with what was needed since the start. Throws libbpf-ts's BpfError. */
  adapt({ requests, needed }: Need): void {
    if (this.#settled) return
    if (needed > 0) {
      this.#settled = true
      this.#link ??= this.program.attach()
    } else if (requests >= REQUESTS_TO_TELL && this.#link !== null) {
      this.#link.close()
      this.#link = null
    }
  }
}
