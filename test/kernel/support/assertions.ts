import type { MeasureDocument } from '../../../src/latency/document.js'
import { isInTotal, type StageName } from '../../../src/latency/stages.js'
import type { Context } from './kernel-test.js'

/** Every mean is rounded to a whole nanosecond, and is off by half of one at most. */
const ROUNDING_US = 0.0005
/** What adding up a dozen such numbers in floating point adds to that. */
const FLOAT_US = 1e-6

/**
 * Asserts that all of so many requests were seen, answered, and that nothing was lost on the way; and, as the clients
 * wait for each answer, that none was taken for several.
 */
export const assertExact = (t: Context, document: MeasureDocument, requests: number): void => {
  const { in_flight, unanswered, pipelined, lost } = document
  t.deepEqual(
    { requests: document.requests, in_flight, unanswered, pipelined, lost },
    {
      requests,
      in_flight: 0,
      unanswered: 0,
      pipelined: 0,
      lost: { ringbuf_full: 0, map_full: 0, clock: 0, recursion: 0 },
    },
  )
  assertAddsUp(t, document)
}

/** Asserts that the stages add up to the total, in the mean of all requests and in every row of the tail. */
export const assertAddsUp = (t: Context, { requests, total, stages, tail }: MeasureDocument): void => {
  const inTotal = stages.filter(({ name }) => isInTotal(name))
  const shares = inTotal.map(stage => stage.requests / requests)
  const mean = inTotal.reduce((sum, stage, index) => sum + stage.mean_us * (shares[index] ?? 0), 0)
  const bound = (1 + shares.reduce((sum, share) => sum + share, 0)) * ROUNDING_US + FLOAT_US
  assertNear(t, mean, total.mean_us ?? Number.NaN, bound, 'the total')
  t.true(stages.every(stage => stage.requests <= requests && stage.mean_us >= 0))
  t.deepEqual(
    tail.map(row => row.from_percentile),
    [50, 90, 99, 99.9],
  )
  for (const row of tail) {
    const parts = Object.values(row.stages)
    const sum = parts.reduce((a, b) => a + b, 0)
    const name = `the tail from ${row.from_percentile}`
    assertNear(t, sum, row.mean_us ?? Number.NaN, (1 + parts.length) * ROUNDING_US + FLOAT_US, name)
  }
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

/** Gives the mean of a stage over all requests, with those that did not have it, in microseconds. */
export const spreadMean = ({ requests, stages }: MeasureDocument, name: StageName): number => {
  const stage = stages.find(candidate => candidate.name === name)
  return stage === undefined ? 0 : (stage.mean_us * stage.requests) / requests
}
