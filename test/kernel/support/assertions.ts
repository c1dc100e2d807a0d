import type { ExemplarDocument, MeasureDocument, TailDocument } from '../../../src/latency/document.js'
import { round } from '../../../src/latency/round.js'
import { isInTotal, type Role, type StageName } from '../../../src/latency/stages.js'
import { findObstacle } from '../../../src/probes/support.js'
import type { Context } from './kernel-test.js'

/** Every mean is rounded to a whole nanosecond, and is off by half of one at most. */
const ROUNDING_US = 0.0005
/** What adding up a dozen such numbers in floating point adds to that. */
const FLOAT_US = 1e-6
/** Of the bucket in which a row of the tail begins, each stage's part is rounded down to a nanosecond. */
const PART_US = 0.001
/** A percentile is the middle of a bucket, and off by so much of itself at most. */
export const OF_A_BUCKET = 1 / 64

/** Without these no request is complete. */
const STAGES_OF_EACH: Readonly<Record<Role, readonly StageName[]>> = {
  server: ['recv', 'app_cpu', 'send'],
  client: ['peer', 'recv'],
}

/**
 * Asserts that all of so many requests were seen, answered, followed through all that each of them has, but for a stage that
 * this service's have not (`absent`) a share of which only the total may be known (`shallow`) and one of which it may not be known how long the service slept
 * (`undivided`), and that nothing was lost on the way; and, as the clients wait for each answer, that none was taken for several.
 */
export const assertExact = (
  t: Context,
  document: MeasureDocument,
  requests: number,
  {
    absent,
    shallow = 0,
    undivided = 0,
  }: { absent?: StageName | undefined; shallow?: number; undivided?: number } = {},
): void => {
  const { in_flight, unanswered, pipelined, unsplit, lost, depth, stages } = document
  t.deepEqual(
    { requests: document.requests, in_flight, unanswered, pipelined, unsplit, lost, depth },
    {
      requests,
      in_flight: 0,
      unanswered: 0,
      pipelined: 0,
      unsplit,
      lost: { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 },
      depth: { requests: depth.requests, share: round(depth.requests / requests) },
    },
  )
  t.true(
    depth.requests >= requests * (1 - shallow) && depth.requests <= requests,
    `${depth.requests} followed in depth`,
  )
  t.true(document.undivided <= requests * undivided, `${document.undivided} undivided`)
  assertStagesOfEach(t, document, absent)
  t.true(
    (document.total.max_us ?? Number.NaN) <= document.seconds * 1e6,
    `a request of ${document.total.max_us} us in ${document.seconds} s`,
  )
  t.true(
    stages.every(stage => stage.requests <= requests),
    'no stage without a request',
  )
  assertAddsUp(t, document)
}

/** Whether on this kernel only system calls tell of what TCP sends. */
export const followsSyscalls = (): boolean => findObstacle('tcp/tcp_sendmsg_locked', 'tp_btf') !== null

/**
 * Asserts that of the requests that were followed in depth each has the stages that none is complete without, but for one that
 * this service's have not.
 *
 * A machine can hide threads of other containers from tracing, and what runs on top of them with them: the switch from such a
 * one to the service's, once a second or so. Where each call to read and to send is seen, the thread is known by then.
 */
export const assertStagesOfEach = (t: Context, document: MeasureDocument, absent?: StageName): void => {
  const { requests, depth, unsplit, seconds, target } = document
  const leftOut = target.protocol === 'tcp' && !followsSyscalls() ? 0 : 2 + seconds
  for (const name of STAGES_OF_EACH[document.target.role]) {
    if (name === absent) continue
    const without = depth.requests - requestsOf(document, name)
    if (name === 'send') t.is(without, unsplit, 'only replies that are unsplit are without send')
    else t.true(without >= 0 && without <= (name === 'recv' ? leftOut : 0), `${without} without ${name}`)
  }
  // What TCP holds back is looked for while it is at least one reply in a thousand (docs/cost.md); of fewer each is counted.
  t.true(unsplit <= Math.max(leftOut, requests / 1000), `${unsplit} unsplit`)
  // A thread whose way onto the CPU nobody saw is known from its read on; and one that has sent since the request came may seem
  // to have read from then on.
  if (absent !== undefined)
    t.true(requestsOf(document, absent) <= requests / 100, `${absent} is in ${requestsOf(document, absent)}`)
}

/**
 * Asserts that the stages add up to the total, of which the kernel keeps a sum of its own: in each request that is shown, in
 * the mean of all, and in every row of the tail; and that no stage is longer than the slowest request.
 */
export const assertAddsUp = (t: Context, document: MeasureDocument): void => {
  const { requests, depth, total, stages, tail, exemplars } = document
  const max = total.max_us ?? Number.NaN
  for (const exemplar of exemplars) assertExemplar(t, exemplar, max)
  t.true(exemplars.length > 0 || depth.requests === 0, 'requests are shown')
  for (const { name, mean_us } of stages.filter(stage => isInTotal(stage.name)))
    assertLasts(t, mean_us, max, name)
  t.deepEqual(
    tail.map(row => row.from_percentile),
    [50, 90, 99, 99.9],
  )
  for (const row of tail) assertRow(t, row, document)
  if (depth.requests < requests) return

  const inTotal = stages.filter(({ name }) => isInTotal(name))
  const shares = inTotal.map(stage => stage.requests / requests)
  const mean = inTotal.reduce((sum, stage, index) => sum + stage.mean_us * (shares[index] ?? 0), 0)
  const bound = (1 + shares.reduce((sum, share) => sum + share, 0)) * ROUNDING_US + FLOAT_US
  assertNear(t, mean, total.mean_us ?? Number.NaN, bound, 'the total')
}

/** An interval below 0 would be one of 600 years. */
const assertLasts = (t: Context, us: number, max: number, what: string): void => {
  t.true(us >= 0 && us <= max + ROUNDING_US, `${what}: ${us} is not from 0 to ${max}`)
}

const assertExemplar = (t: Context, { total_us, stages }: ExemplarDocument, max: number): void => {
  const parts = Object.entries(stages)
  const name = `a request of ${JSON.stringify(stages)}`
  assertLasts(t, total_us, max, name)
  for (const [stage, us] of parts) assertLasts(t, us, total_us, `${stage} in ${name}`)
  const sum = parts.reduce((all, [, us]) => all + us, 0)
  assertNear(t, sum, total_us, FLOAT_US, name)
}

const assertRow = (t: Context, row: TailDocument, { requests, depth, total }: MeasureDocument): void => {
  const name = `the tail from ${row.from_percentile}`
  const max = total.max_us ?? Number.NaN
  const mean = row.mean_us ?? Number.NaN
  const from = { 50: total.p50_us, 90: total.p90_us, 99: total.p99_us, 99.9: total.p999_us }[
    row.from_percentile
  ]
  // The slowest requests, each at the mean of its bucket, are not faster than the bucket in which they begin.
  const least = (from ?? Number.NaN) * (1 - OF_A_BUCKET) - ROUNDING_US
  t.true(mean >= least && mean <= max + ROUNDING_US, `${name}: ${mean} is not from ${least} to ${max}`)
  const parts = Object.entries(row.stages)
  for (const [stage, us] of parts) assertLasts(t, us, max, `${stage} in ${name}`)
  if (depth.requests < requests) return
  const sum = parts.reduce((all, [, us]) => all + us, 0)
  const bound = (1 + parts.length) * ROUNDING_US + (parts.length * PART_US) / row.requests + FLOAT_US
  assertNear(t, sum, mean, bound, name)
}

/** Asserts that two numbers are no further apart than the bound. */
export const assertNear = (
  t: Context,
  actual: number,
  expected: number,
  bound: number,
  what: string,
): void => {
  t.true(Math.abs(actual - expected) <= bound, `${what}: ${actual} is not within ${bound} of ${expected}`)
}

/** Gives how many requests had a stage. */
export const requestsOf = ({ stages }: MeasureDocument, name: StageName): number =>
  stages.find(stage => stage.name === name)?.requests ?? 0

/** Gives the mean of a stage over all requests, with those that did not have it, in microseconds. */
export const spreadMean = ({ requests, stages }: MeasureDocument, name: StageName): number => {
  const stage = stages.find(candidate => candidate.name === name)
  return stage === undefined ? 0 : (stage.mean_us * stage.requests) / requests
}
