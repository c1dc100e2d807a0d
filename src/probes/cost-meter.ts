import { cpus } from 'node:os'
import type { Cost } from './budget.js'
import type { BpfCost } from './tracer.js'

const CPUS = cpus().length

type Moment = { requests: number; ms: number; agentUs: number }

/**
 * Adds up what measuring takes: the probes, by samples of what they take for a request, and this process.
 *
 * Begins with its creation, before the first request.
 */
export class CostMeter {
  /** All samples together. */
  readonly #sampled = { bpfNs: 0, requests: 0 }
  #latest: BpfCost | null = null
  #spentBpfNs = 0
  /** What was added since the last call of `spend`. */
  #addedNs = 0
  readonly #begin: Moment = readMoment(0)
  #last: Moment = this.#begin

  /** Takes a sample of what the probes took; null if there was none to be had. */
  sample(cost: BpfCost | null): void {
    if (cost === null) return
    this.#latest = cost
    this.#sampled.bpfNs += cost.bpfNs
    this.#sampled.requests += cost.requests
  }

  /** Takes what other probes than the sampled ones have taken, in nanoseconds. */
  add(bpfNs: number): void {
    this.#addedNs += bpfNs
  }

  /** What the probes take for a request in nanoseconds, in the mean of all samples; null without any request in them. */
  get bpfNsPerRequest(): number | null {
    return this.#sampled.requests > 0 ? this.#sampled.bpfNs / this.#sampled.requests : null
  }

  /**
   * Takes how many requests were complete by now; gives what measuring took since the last call: the probes, by what the
   * latest sample says that so many requests take, or so much time if it had none; and all, with what was added. Null without
   * a sample.
   */
  spend(requests: number): Cost | null {
    const since = this.#last
    this.#last = readMoment(requests)
    if (this.#latest === null) return null
    const { bpfNs, requests: sampled, ns } = this.#latest
    const elapsedNs = (this.#last.ms - since.ms) * 1e6
    const sampledNs = sampled > 0 ? (bpfNs / sampled) * (requests - since.requests) : (bpfNs / ns) * elapsedNs
    const spentNs = sampledNs + this.#addedNs
    this.#addedNs = 0
    this.#spentBpfNs += spentNs
    const machine = toShare(spentNs, since, this.#last)
    return machine === null ? null : { probes: sampledNs / (elapsedNs * CPUS), machine }
  }

  /** The same since the beginning; null without a sample. */
  get share(): number | null {
    return this.#latest === null ? null : toShare(this.#spentBpfNs, this.#begin, this.#last)
  }
}

const readMoment = (requests: number): Moment => {
  const { user, system } = process.cpuUsage()
  return { requests, ms: performance.now(), agentUs: user + system }
}

const toShare = (bpfNs: number, from: Moment, to: Moment): number | null => {
  const ns = (to.ms - from.ms) * 1e6 * CPUS
  return ns > 0 ? (bpfNs + (to.agentUs - from.agentUs) * 1000) / ns : null
}
