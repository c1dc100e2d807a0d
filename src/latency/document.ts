import { type Breakdown, breakdown, type TotalTimes } from './breakdown.js'
import { type Counts, type Lost, MATRIX_CPUS } from './counts.js'
import { describeOverheads, type OverheadSample, type Overheads } from './overheads.js'
import { round, roundKnown } from './round.js'
import { type Role, STAGES_OF, type StageName } from './stages.js'

/** A value that JSON can hold. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue }

/** A service by its port; the process is null when none could be found for its socket. */
export type NamedService = {
  port: number
  protocol: 'tcp' | 'udp'
  comm: string | null
  pid: number | null
}

/**
 * Whose requests were measured: a service's, or those that clients sent to a port, of this host where it is there; the process is
 * then the only one of which they were, and null else.
 */
export type Target = NamedService & { role: Role; host?: string }

/** How many requests came through the softirq of one CPU and were read on another, or the same. */
export type LocalityDocument = { softirq_cpu: number; recv_cpu: number; requests: number }

/** How many requests a driver handed over on one CPU, and their softirq was another's, which RPS or RFS had chosen. */
export type SteeringDocument = { driver_cpu: number; softirq_cpu: number; requests: number }

/** Idle CPUs that ran again for a request, by cpuidle's number of the state they were in. */
export type IdleExitDocument = { state: number; requests: number; mean_us: number }

/** What measuring itself took; null where it was not measured. */
export type Cost = {
  bpf_ns_per_request: number | null
  agent_cpu_percent: number | null
  agent_rss_bytes: number | null
  /** The probes and taut itself, as a percentage of all CPUs' time; and what it may be, null for no limit. */
  machine_percent: number | null
  budget_percent: number | null
}

/** The CPU of the service's processes, as a percentage of one core, and their resident memory; null where none is known. */
export type ServiceUsage = { cpu_percent: number | null; rss_bytes: number | null }

/** How many requests were followed through their stages, and what share of all that is; null without requests. */
export type DepthDocument = { requests: number; share: number | null }

/** One single request: its stages in nanoseconds, and the CPUs it met, by the name of the point. */
export type Exemplar = {
  totalNs: bigint
  cpu: Record<string, number>
  /** The state that an idle CPU was in, by cpuidle's number; absent when none had to wake up. */
  idleState?: number
  stages: Partial<Record<StageName, bigint>>
}

/** The distribution of the total in microseconds; every number is null when there were no requests. */
export type TotalDocument = {
  mean_us: number | null
  p50_us: number | null
  p90_us: number | null
  p99_us: number | null
  p999_us: number | null
  max_us: number | null
}

/** The fields of the total by what people call them. */
export const TOTAL_FIELDS = {
  p50: 'p50_us',
  p90: 'p90_us',
  p99: 'p99_us',
  'p99.9': 'p999_us',
  mean: 'mean_us',
} as const satisfies Record<string, keyof TotalDocument>

/** One stage in microseconds, over the requests that had it. */
export type StageDocument = {
  name: StageName
  requests: number
  mean_us: number
  p50_us: number
  p99_us: number
}

/** The slowest requests in microseconds; the stages' means are over those followed in depth. If all were, they add up to the mean. */
export type TailDocument = {
  from_percentile: number
  requests: number
  mean_us: number | null
  stages: Partial<Record<StageName, number>>
}

/** One single request in microseconds. */
export type ExemplarDocument = {
  total_us: number
  cpu: Record<string, number>
  idle_state?: number
  stages: Partial<Record<StageName, number>>
}

/** What `taut measure --json` prints: schema 1, times ending in `_us` in microseconds with 3 decimals. */
export type MeasureDocument = {
  schema: 1
  taut: string
  host: Record<string, JsonValue>
  kernel: string
  target: Target
  /** The same in all documents of one session, such as those of `taut live --json`, and in no others. */
  session: string
  started_at: string
  seconds: number
  requests: number
  in_flight: number
  unanswered: number
  pipelined: number
  /** Of the requests: their reply left in a call that nobody saw, so that `app_cpu` reaches to the departure. */
  unsplit: number
  /**
   * Of the requests: `app_cpu` is `app_wait` as well, as another thread sent the reply whose wake-up was not seen, or io_uring's threads
   * in the kernel read and sent it.
   */
  undivided: number
  /** Requests that waited for the service to let go of their socket, nobody knows how long: they begin behind that. */
  begun_late: number
  lost: Lost
  depth: DepthDocument
  total: TotalDocument
  stages: StageDocument[]
  tail: TailDocument[]
  overheads: Overheads
  locality: LocalityDocument[]
  steering: SteeringDocument[]
  /** Of those followed in depth: not in `locality`, as the softirq's CPU is not known, or one of the two is above 63. */
  unplaced: number
  idle_exits: IdleExitDocument[]
  service: ServiceUsage
  cost: Cost
  exemplars: ExemplarDocument[]
}

/** Everything a document is made from; `inFlight` comes from the cumulative counts, by countInFlight. */
export type Measurement = {
  version: string
  host: Record<string, JsonValue>
  kernel: string
  target: Target
  session: string
  startedAt: Date
  seconds: number
  inFlight: number
  counts: Counts
  /** The sample, or why there is none. */
  overheads: OverheadSample | string
  service: ServiceUsage
  cost: Cost
  exemplars: Exemplar[]
}

/** Builds the document of one measurement; throws RangeError when the start is not a valid date. */
export const measureDocument = (measurement: Measurement): MeasureDocument => {
  const { counts, overheads, service, cost } = measurement
  const { requests, deep, total, stages, tail } = breakdown(counts)
  const order = STAGES_OF[measurement.target.role]
  return {
    schema: 1,
    taut: measurement.version,
    host: measurement.host,
    kernel: measurement.kernel,
    target: measurement.target,
    session: measurement.session,
    started_at: measurement.startedAt.toISOString(),
    seconds: round(measurement.seconds),
    requests,
    in_flight: measurement.inFlight,
    unanswered: counts.unanswered,
    pipelined: counts.pipelined,
    unsplit: counts.unsplit,
    undivided: counts.undivided,
    begun_late: counts.begunLate,
    lost: { ...counts.lost },
    depth: { requests: deep, share: requests === 0 ? null : round(deep / requests) },
    total: totalDocument(total),
    stages: sortStages(stages, order).map(stage => ({
      name: stage.name,
      requests: stage.requests,
      mean_us: microseconds(stage.mean),
      p50_us: microseconds(stage.p50),
      p99_us: microseconds(stage.p99),
    })),
    tail: tail.map(row => tailDocument({ ...row, stages: sortStages(row.stages, order) })),
    overheads: describeOverheads(counts, overheads),
    locality: listCells(counts.locality).map(([softirq_cpu, recv_cpu, requests]) => ({
      softirq_cpu,
      recv_cpu,
      requests,
    })),
    steering: listCells(counts.steering).map(([driver_cpu, softirq_cpu, requests]) => ({
      driver_cpu,
      softirq_cpu,
      requests,
    })),
    // What the kernel has added to one and not yet to the other may make it less than nothing.
    unplaced: Math.max(0, deep - sumCells(counts.locality)),
    idle_exits: listIdleExits(counts),
    service: { cpu_percent: roundKnown(service.cpu_percent), rss_bytes: service.rss_bytes },
    cost: {
      bpf_ns_per_request: roundKnown(cost.bpf_ns_per_request),
      agent_cpu_percent: roundKnown(cost.agent_cpu_percent),
      agent_rss_bytes: cost.agent_rss_bytes,
      machine_percent: roundKnown(cost.machine_percent),
      budget_percent: cost.budget_percent,
    },
    exemplars: measurement.exemplars.map(exemplar => exemplarDocument(exemplar)),
  }
}

const sortStages = <Stage extends { name: StageName }>(
  stages: readonly Stage[],
  order: readonly StageName[],
): Stage[] => stages.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name))

/** The cells of a matrix of CPUs in which there are requests: from, to, how many. */
const listCells = (matrix: Float64Array): [from: number, to: number, requests: number][] =>
  [...matrix.entries()].flatMap(([cell, requests]) =>
    requests === 0 ? [] : [[Math.floor(cell / MATRIX_CPUS), cell % MATRIX_CPUS, requests]],
  )

const sumCells = (cells: Float64Array): number => cells.reduce((sum, requests) => sum + requests, 0)

const listIdleExits = ({ idleExits, idleExitNs }: Counts): IdleExitDocument[] =>
  [...idleExits.entries()].flatMap(([state, requests]) =>
    requests === 0
      ? []
      : [{ state, requests, mean_us: microseconds(Number(idleExitNs[state] ?? 0n) / requests) }],
  )

const totalDocument = (total: TotalTimes): TotalDocument => ({
  mean_us: microsecondsKnown(total.mean),
  p50_us: microsecondsKnown(total.p50),
  p90_us: microsecondsKnown(total.p90),
  p99_us: microsecondsKnown(total.p99),
  p999_us: microsecondsKnown(total.p999),
  max_us: microsecondsKnown(total.max),
})

const tailDocument = (row: Breakdown['tail'][number]): TailDocument => ({
  from_percentile: row.fromPercentile,
  requests: row.requests,
  mean_us: microsecondsKnown(row.meanNs),
  stages: Object.fromEntries(row.stages.map(stage => [stage.name, microseconds(stage.meanNs)])),
})

const exemplarDocument = ({ totalNs, cpu, idleState, stages }: Exemplar): ExemplarDocument => ({
  total_us: microseconds(Number(totalNs)),
  cpu,
  ...(idleState !== undefined && { idle_state: idleState }),
  stages: Object.fromEntries(Object.entries(stages).map(([name, ns]) => [name, microseconds(Number(ns))])),
})

const microseconds = (ns: number): number => Math.round(ns) / 1000

const microsecondsKnown = (ns: number | null): number | null => (ns === null ? null : microseconds(ns))
