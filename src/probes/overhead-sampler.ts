import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import type { OverheadSample } from '../latency/overheads.js'
import type { Target } from '../system/target.js'
import type { KernelTypes } from './kernel-types.js'
import { describeWords, OverheadProbes } from './overheads.js'

/** Enough requests to tell what one of them takes; a service that answers fewer is looked at for longer. */
const WINDOW_REQUESTS = 500
const STEP_MS = 5
const WINDOW_STEPS = 100

/** Samples the overheads of the socket API: in windows, because counting every system call would cost too much. */
export class OverheadSampler implements Disposable {
  readonly #probes: OverheadProbes
  #requests = 0
  #seconds = 0

  /** Loads the probes for a target, which takes a tenth of a second or two; throws libbpf-ts's BpfError. */
  constructor(target: Target, types: KernelTypes) {
    this.#probes = OverheadProbes.load(target, types)
  }

  /**
   * Looks at 500 requests, or for half a second, or until the signal; takes what counts complete requests. Gives what the
   * probes took for that in nanoseconds if they are to be timed, which makes all that they see last longer, or else 0. Throws
   * libbpf-ts's BpfError.
   */
  async sample(countRequests: () => number, isTimed: boolean, signal?: AbortSignal): Promise<number> {
    using timing = isTimed ? this.#probes.time() : null
    const before = timing?.read() ?? 0
    try {
      await this.#probes.attach(signal)
      if (!this.#probes.closed && !signal?.aborted) await this.#look(countRequests, signal)
    } finally {
      await this.#probes.detach()
    }
    return timing === null || this.#probes.closed ? 0 : timing.read() - before
  }

  /** Opens a window for as long as it takes. */
  async #look(countRequests: () => number, signal?: AbortSignal): Promise<void> {
    // Counting takes a while, in which requests go on: so it comes after the window's begin as it does after its end.
    this.#probes.openWindow()
    const begin = { requests: countRequests(), ms: performance.now() }
    for (let steps = 0; steps < WINDOW_STEPS; steps++) {
      await setTimeout(STEP_MS)
      if (this.#probes.closed) return
      if (signal?.aborted || countRequests() - begin.requests >= WINDOW_REQUESTS) break
    }
    this.#probes.closeWindow()
    this.#requests += countRequests() - begin.requests
    this.#seconds += (performance.now() - begin.ms) / 1000
  }

  /** Gives what all windows so far have counted, null before the first. */
  read(): OverheadSample | null {
    if (this.#seconds === 0) return null
    return {
      ...describeWords(this.#probes.read(), process.arch),
      requests: this.#requests,
      seconds: this.#seconds,
      recursion: this.#probes.countMissedRuns(),
    }
  }

  /** Detaches and frees everything; harmless when done again. */
  close(): void {
    this.#probes.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
