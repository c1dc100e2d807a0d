import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { BpfError } from 'libbpf-ts'
import { type Counts, countInFlight, emptyCounts, subtractCounts } from '../latency/counts.js'
import { type Exemplar, type MeasureDocument, measureDocument } from '../latency/document.js'
import { BUCKETS, countValues, findQuantile, histogramBetween } from '../latency/histogram.js'
import { listClients } from '../system/clients.js'
import { describeHost } from '../system/host.js'
import { giveWay } from '../system/priority.js'
import type { Service } from '../system/services.js'
import { ServingProcesses } from '../system/serving.js'
import type { Target } from '../system/target.js'
import { createUsageMeter, type Usage } from '../system/usage.js'
import { VERSION } from '../version.js'
import { Budget, type Cost } from './budget.js'
import { CostMeter } from './cost-meter.js'
import type { KernelTypes } from './kernel-types.js'
import { OverheadSampler } from './overhead-sampler.js'
import { Tracer } from './tracer.js'

/** Of the requests that are not slow, so many a second become exemplars. */
const ORDINARY_EXEMPLARS = 16
/** What a request costs changes slowly, and looking at that makes it dearer. */
const REFRESHES_A_SAMPLE = 5
/**
 * A sample of the socket API's overheads disturbs the service for longer: each comes three times as many refreshes after the
 * last as that one after the one before, until it is one a minute.
 */
const WINDOWS_APART = { first: 5, growth: 3, most: 60 }
const KEPT_EXEMPLARS = 16

/** A stretch of the session: its own counts, and those since the start at its end. */
type Interval = { counts: Counts; cumulative: Counts; startedAt: Date; seconds: number }

/** A measurement in progress: of one target, since `start`, looked at in intervals. */
export class Session implements Disposable {
  readonly target: Target
  readonly #tracer: Tracer
  readonly #overheads: OverheadSampler | null
  /** What the kernel says of the probes that sample overheads; null where it takes them, or they are not wanted. */
  readonly refused: string | null
  readonly #processes: ServingProcesses
  readonly #interval: Meters
  readonly #whole: Meters
  readonly #host = describeHost()
  readonly #id = randomUUID()
  readonly #startedAt = new Date()
  readonly #startedMs = performance.now()
  readonly #budget: Budget | null
  readonly #cost = new CostMeter()
  /** What measuring took between the last two refreshes. */
  #lastCost: Cost | null = null
  #last: { cumulative: Counts; at: Date; ms: number }
  #totals: Float64Array = new Float64Array(BUCKETS)
  #refreshes = 0
  /** The first refresh that may sample the overheads, and how far from it the next one is. */
  #nextWindow = 0
  #windowsApart = WINDOWS_APART.first
  /** The slowest of the session. */
  #exemplars: Exemplar[] = []

  private constructor(
    target: Target,
    tracer: Tracer,
    overheads: OverheadSampler | string | null,
    budget: Budget | null,
  ) {
    this.target = target
    this.#tracer = tracer
    this.#overheads = typeof overheads === 'string' ? null : overheads
    this.refused = typeof overheads === 'string' ? overheads : null
    // Clients serve nobody: what they take is not a service's.
    this.#processes = new ServingProcesses(target.role === 'client' ? { ...target, pids: [] } : target)
    this.#interval = createMeters(this.#processes)
    this.#whole = createMeters(this.#processes)
    this.#budget = budget
    this.#last = { cumulative: emptyCounts(), at: this.#startedAt, ms: this.#startedMs }
  }

  /**
   * Attaches the probes; every request that begins from here on is measured. With a budget, which is a share of all CPUs'
   * time, fewer of them in depth if that costs more. Throws as Tracer.start does.
   */
  static async start(target: Target, types: KernelTypes, budget?: number): Promise<Session> {
    // Before the tracer counts: what it counted meanwhile would lie before the session's first second.
    // They are about what a service does.
    const overheads = target.role === 'client' ? null : loadOverheads(target, types)
    const session = new Session(
      target,
      startTracer(target, types, overheads),
      overheads,
      budget === undefined ? null : new Budget(budget),
    )
    // Nothing is lost when reading comes late, but the service would be late if it had to wait for the reader.
    giveWay()
    session.#tracer.chooseExemplars(Number.MAX_SAFE_INTEGER, 1)
    await session.#whole()
    await session.#interval()
    return session
  }

  /**
   * To be called about once a second: finds the service's processes again where one has ended, gathers exemplars and chooses
   * the next ones by what was slow since the last call, and samples now and then what measuring costs and the socket API does,
   * which takes up to a second, or about until the signal.
   */
  async refresh(signal?: AbortSignal): Promise<void> {
    const isDue = this.#refreshes++ % REFRESHES_A_SAMPLE === 0 || this.#cost.bpfNsPerRequest === null
    if (isDue || this.#budget !== null) this.#cost.sample(await this.#tracer.measureCost())
    const requests = this.#tracer.countRequests()
    const cost = this.#cost.spend(requests)
    this.#lastCost = cost
    if (this.#budget !== null && cost !== null) this.#tracer.setDepth(this.#budget.next(cost))
    if (this.#overheads !== null && this.#isWindowDue(requests) && this.#mayLookCloser()) {
      this.#nextWindow = this.#refreshes + this.#windowsApart
      this.#windowsApart = Math.min(WINDOWS_APART.most, this.#windowsApart * WINDOWS_APART.growth)
      const countRequests = (): number => this.#tracer.countRequests()
      this.#cost.add(await this.#overheads.sample(countRequests, this.#budget !== null, signal))
    }
    this.#tracer.adapt()
    this.#keepExemplars()
    const totals = this.#tracer.readTotals()
    const latest = histogramBetween(this.#totals, totals)
    this.#totals = totals
    this.#tracer.chooseExemplars(
      findQuantile(latest, 99, Number.MAX_SAFE_INTEGER) ?? Number.MAX_SAFE_INTEGER,
      Math.max(1, countValues(latest) / ORDINARY_EXEMPLARS),
    )
    await this.#processes.refresh()
    if (this.target.clients !== undefined) this.#tracer.chooseClients(listClients(this.target.clients))
  }

  /** The service to name: when the target's has started anew, the one that serves now. */
  get service(): Service {
    return this.#processes.serving.service
  }

  /** What was lost, and how many requests were unanswered, from the start to the last interval's end. */
  get losses(): Pick<Counts, 'lost' | 'unanswered'> {
    const { lost, unanswered } = this.#last.cumulative
    return { lost, unanswered }
  }

  /** Gives the document of the time since the last call, or since the start. */
  async describeInterval(): Promise<MeasureDocument> {
    const now = { cumulative: this.#tracer.read(), at: new Date(), ms: performance.now() }
    const last = this.#last
    this.#last = now
    return this.#document(
      {
        counts: subtractCounts(now.cumulative, last.cumulative),
        cumulative: now.cumulative,
        startedAt: last.at,
        seconds: (now.ms - last.ms) / 1000,
      },
      await this.#interval(),
      this.#lastCost?.machine ?? null,
    )
  }

  /** Detaches the probes and gives the document of the whole session, its counts exact. */
  async stop(): Promise<MeasureDocument> {
    const counts = this.#tracer.stop()
    const seconds = (performance.now() - this.#startedMs) / 1000
    this.#keepExemplars()
    await this.#processes.refresh()
    return this.#document(
      { counts, cumulative: counts, startedAt: this.#startedAt, seconds },
      await this.#whole(),
      this.#cost.share,
    )
  }

  /** Detaches the probes; harmless when done again. */
  close(): void {
    this.#overheads?.close()
    this.#tracer.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** A look at a service that is idle would tell nothing. */
  #isWindowDue(requests: number): boolean {
    return this.#refreshes >= this.#nextWindow && requests > countValues(this.#totals)
  }

  /** Overheads are known at a price of their own. */
  #mayLookCloser(): boolean {
    return this.#budget === null || this.#budget.hasMuchRoom
  }

  #explainNoOverheads(): string {
    if (this.target.role === 'client') return 'they are of services, and not of clients'
    if (this.refused !== null) return this.refused
    return this.#budget === null ? 'there was no time for a sample' : 'the budget left no room for a sample'
  }

  #keepExemplars(): void {
    const fastest = this.#exemplars.length < KEPT_EXEMPLARS ? undefined : this.#exemplars.at(-1)
    this.#exemplars = [...this.#exemplars, ...this.#tracer.drainExemplars(Number(fastest?.totalNs ?? 0))]
      .sort((a, b) => Number(b.totalNs - a.totalNs))
      .slice(0, KEPT_EXEMPLARS)
  }

  #document(
    { counts, cumulative, startedAt, seconds }: Interval,
    { agent, service: usage }: Usages,
    machineShare: number | null,
  ): MeasureDocument {
    const { role, ports } = this.target
    const { service } = this
    return measureDocument({
      version: VERSION,
      host: this.#host,
      kernel: this.#host.kernel,
      target: {
        role,
        port: ports[0] ?? service.port,
        protocol: service.protocol,
        comm: service.comm,
        pid: service.pid,
        ...(this.target.host !== undefined && { host: this.target.host }),
      },
      session: this.#id,
      startedAt,
      seconds,
      inFlight: countInFlight(cumulative),
      counts,
      overheads: this.#overheads?.read() ?? this.#explainNoOverheads(),
      service: { cpu_percent: usage?.cpuPercent ?? null, rss_bytes: usage?.rssBytes ?? null },
      cost: {
        bpf_ns_per_request: this.#cost.bpfNsPerRequest,
        agent_cpu_percent: agent?.cpuPercent ?? null,
        agent_rss_bytes: agent?.rssBytes ?? null,
        machine_percent: machineShare === null ? null : machineShare * 100,
        budget_percent: this.#budget === null ? null : this.#budget.limit * 100,
      },
      exemplars: this.#exemplars,
    })
  }
}

/** What taut itself and the service's processes took since the last time; null of processes that are gone. */
type Usages = { agent: Usage | null; service: Usage | null }
type Meters = () => Promise<Usages>

const createMeters = (processes: ServingProcesses): Meters => {
  const [readAgent, readService] = [createUsageMeter(), createUsageMeter()]
  return async () => ({
    agent: await readAgent([process.pid]),
    service: await readService(processes.serving.pids),
  })
}

/** Gives why where the kernel refuses them: a breakdown without overheads is better than none. */
const loadOverheads = (target: Target, types: KernelTypes): OverheadSampler | string => {
  try {
    return new OverheadSampler(target, types)
  } catch (error) {
    if (error instanceof BpfError) return `the kernel refuses their probes: ${error.message}`
    throw error
  }
}

const startTracer = (
  target: Target,
  types: KernelTypes,
  overheads: OverheadSampler | string | null,
): Tracer => {
  try {
    return Tracer.start(target, types)
  } catch (error) {
    if (typeof overheads !== 'string') overheads?.close()
    throw error
  }
}
