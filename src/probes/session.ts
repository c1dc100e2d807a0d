import { performance } from 'node:perf_hooks'
import { type Counts, countInFlight, countRequests, emptyCounts, subtractCounts } from '../latency/counts.js'
import {
  type Exemplar,
  type MeasureDocument,
  measureDocument,
  type Overheads,
  perRequest,
} from '../latency/document.js'
import { findQuantile } from '../latency/histogram.js'
import { describeHost } from '../system/host.js'
import type { Target } from '../system/target.js'
import { createUsageMeter, type Usage } from '../system/usage.js'
import { VERSION } from '../version.js'
import { type BpfCost, Tracer } from './tracer.js'

/** Of the requests that are not slow, so many a second become exemplars. */
const ORDINARY_EXEMPLARS = 16
const KEPT_EXEMPLARS = 16

/** A measurement in progress: of one target, since `start`, looked at in intervals. */
export class Session implements Disposable {
  readonly target: Target
  readonly #tracer: Tracer
  readonly #refreshUsage = createUsageMeter()
  readonly #wholeUsage = createUsageMeter()
  readonly #host = describeHost()
  readonly #startedAt = new Date()
  readonly #startedMs = performance.now()
  readonly #cost: BpfCost = { bpfNs: 0, requests: 0 }
  #last: { counts: Counts; at: Date; ms: number }
  /** The slowest of the session. */
  #exemplars: Exemplar[] = []

  private constructor(target: Target, tracer: Tracer) {
    this.target = target
    this.#tracer = tracer
    this.#last = { counts: emptyCounts(), at: this.#startedAt, ms: this.#startedMs }
  }

  /** Attaches the probes; every request that begins from here on is measured. Throws as Tracer.start does. */
  static async start(target: Target): Promise<Session> {
    const session = new Session(target, Tracer.start(target))
    session.#tracer.chooseExemplars(Number.MAX_SAFE_INTEGER, 1)
    await session.#wholeUsage([process.pid])
    await session.#refreshUsage([process.pid])
    return session
  }

  /**
   * Gives the document of the time since the last call, or since the start; to be called about once a second.
   * Samples on the way what measuring costs, which takes up to 50 ms, gathers exemplars and chooses the next ones.
   */
  async refresh(): Promise<MeasureDocument> {
    const { bpfNs, requests } = await this.#tracer.measureCost()
    this.#cost.bpfNs += bpfNs
    this.#cost.requests += requests
    const agent = await this.#refreshUsage([process.pid])
    this.#keepExemplars()
    const cumulative = this.#tracer.read()
    const now = { counts: cumulative, at: new Date(), ms: performance.now() }
    const counts = subtractCounts(cumulative, this.#last.counts)
    const document = this.#document(counts, cumulative, this.#last.at, now.ms - this.#last.ms, agent)
    this.#last = now
    this.#tracer.chooseExemplars(
      findQuantile(counts.tailRequests, 99, Number(counts.maxNs)) ?? Number.MAX_SAFE_INTEGER,
      Math.max(1, countRequests(counts) / ORDINARY_EXEMPLARS),
    )
    return document
  }

  /** Detaches the probes and gives the document of the whole session, its counts exact. */
  async stop(): Promise<MeasureDocument> {
    const counts = this.#tracer.stop()
    const ms = performance.now() - this.#startedMs
    const agent = await this.#wholeUsage([process.pid])
    this.#keepExemplars()
    return this.#document(counts, counts, this.#startedAt, ms, agent)
  }

  /** Detaches the probes; harmless when done again. */
  close(): void {
    this.#tracer.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #keepExemplars(): void {
    this.#exemplars = [...this.#exemplars, ...this.#tracer.drainExemplars()]
      .sort((a, b) => Number(b.totalNs - a.totalNs))
      .slice(0, KEPT_EXEMPLARS)
  }

  #document(
    counts: Counts,
    cumulative: Counts,
    startedAt: Date,
    ms: number,
    agent: Usage | null,
  ): MeasureDocument {
    const { ports, service } = this.target
    return measureDocument({
      version: VERSION,
      host: this.#host,
      kernel: this.#host.kernel,
      target: {
        port: ports[0] ?? service.port,
        protocol: service.protocol,
        comm: service.comm,
        pid: service.pid,
      },
      startedAt,
      seconds: ms / 1000,
      inFlight: countInFlight(cumulative),
      counts,
      overheads: describeOverheads(counts),
      cost: {
        bpf_ns_per_request: this.#cost.requests === 0 ? null : this.#cost.bpfNs / this.#cost.requests,
        agent_cpu_percent: agent?.cpuPercent ?? null,
        agent_rss_bytes: agent?.rssBytes ?? null,
      },
      exemplars: this.#exemplars,
    })
  }
}

/** What the probes see so far; the others are null, for not measured. */
const describeOverheads = (counts: Counts): Overheads => ({
  syscalls_per_request: perRequest(counts.syscalls, counts),
  packet_ns: null,
  same_cpu_share: perRequest(counts.sameCpu, counts),
  vfs_ns: null,
  epoll_wakeups_per_request: perRequest(counts.epollCalls, counts),
})
