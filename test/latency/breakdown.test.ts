import test from 'ava'
import fc from 'fast-check'
import { breakdown } from '../../src/latency/breakdown.js'
import { emptyCounts } from '../../src/latency/counts.js'
import { STAGES, type StageName } from '../../src/latency/stages.js'
import { buildTail, divide, sumAll } from '../../src/latency/tail.js'
import {
  arbitraryRequest,
  arbitraryRequests,
  recordRequests,
  slowestOf,
  type TestRequest,
  totalOf,
} from './record-requests.js'

const someRequests = fc.array(arbitraryRequest, { minLength: 1, maxLength: 300 })

const sum = (values: bigint[]): bigint => values.reduce((total, value) => total + value, 0n)

const sumOf = (requests: TestRequest[], name: StageName): bigint =>
  sum(requests.map(request => request[name] ?? 0n))

const isNear = (actual: number, expected: number, share: number): boolean =>
  Math.abs(actual - expected) <= Math.abs(expected) * share

test('the sums of the stages are exact and add up to the sum of the totals', t => {
  fc.assert(
    fc.property(someRequests, requests => {
      const { stages: sums } = sumAll(recordRequests(requests))
      t.deepEqual(
        sums,
        STAGES.map(name => sumOf(requests, name)),
      )
      const inTotal = sums.filter((_, stage) => STAGES[stage] !== 'ack')
      t.is(sum(inTotal), sum(requests.map(request => totalOf(request))))
    }),
  )
})

test('means are the sums over the requests that had the stage', t => {
  fc.assert(
    fc.property(someRequests, requests => {
      const result = breakdown(recordRequests(requests))
      const totals = requests.map(request => totalOf(request))
      t.is(result.requests, requests.length)
      t.is(result.total.mean, divide(sum(totals), requests.length))
      t.is(result.total.max, Number(slowestOf(requests)))
      for (const { name, mean, requests: had } of result.stages) {
        t.is(had, requests.filter(request => request[name] !== undefined).length)
        t.is(mean, divide(sumOf(requests, name), had))
      }
    }),
  )
})

test('quantiles are in order and never above the slowest request', t => {
  fc.assert(
    fc.property(someRequests, requests => {
      const { total, stages } = breakdown(recordRequests(requests))
      const { p50, p90, p99, p999, max } = total
      const ascending = [p50, p90, p99, p999, max].map(Number)
      t.deepEqual(
        ascending,
        ascending.toSorted((a, b) => a - b),
      )
      for (const stage of stages) {
        t.true(stage.p50 <= stage.p99)
        t.true(stage.name === 'ack' || stage.p99 <= Number(max))
      }
    }),
  )
})

test('a stage that no request had is absent', t => {
  const { stages, tail } = breakdown(recordRequests([{ recv: 5n, send: 0n }, { recv: 7n }]))
  t.deepEqual(
    stages.map(({ name, requests }) => [name, requests]),
    [
      ['recv', 2],
      ['send', 1],
    ],
  )
  for (const row of tail) {
    t.deepEqual(
      row.stages.map(stage => stage.name),
      ['recv', 'send'],
    )
  }
})

test('the acknowledgement is a stage of its own, outside the total and the tail', t => {
  const { total, stages, tail } = breakdown(recordRequests([{ recv: 10n, ack: 1_000_000n }]))
  t.is(total.mean, 10)
  const ack = stages.find(stage => stage.name === 'ack')
  t.is(ack?.mean, 1_000_000)
  t.true(isNear(Number(ack?.p99), 1_000_000, 0.032))
  t.deepEqual(
    tail.map(row => row.sumNs),
    [10n, 10n, 10n, 10n],
  )
})

test('tail rows count the requests ranked above the percentile', t => {
  const rows = (count: number) =>
    buildTail(recordRequests(Array.from({ length: count }, () => ({ recv: 9n })))).map(row => row.requests)
  t.deepEqual(rows(1), [1, 1, 1, 1])
  t.deepEqual(rows(10), [5, 1, 1, 1])
  t.deepEqual(rows(1000), [500, 100, 10, 1])
  t.deepEqual(rows(1001), [501, 101, 11, 2])
})

test("a tail row's stages add up to its mean, and are near those of the sorted stream", t => {
  fc.assert(
    fc.property(someRequests, requests => {
      const slowestFirst = requests.toSorted((a, b) => Number(totalOf(b) - totalOf(a)))
      for (const row of buildTail(recordRequests(requests))) {
        // Of the boundary bucket each sum is rounded down.
        const rounded = Number(row.sumNs - sum(row.stages.map(stage => stage.sumNs)))
        t.true(rounded >= 0 && rounded < STAGES.length, `${rounded}`)
        t.is(row.meanNs, divide(row.sumNs, row.requests))
        const expected = Number(sum(slowestFirst.slice(0, row.requests).map(request => totalOf(request))))
        // Requests of one bucket differ by 1/32; rounding takes less than a nanosecond a stage.
        t.true(
          Math.abs(Number(row.sumNs) - expected) <= expected / 32 + STAGES.length,
          `${row.sumNs} ${expected}`,
        )
      }
    }),
  )
})

test('a tail row takes whole buckets above its boundary exactly', t => {
  const fast = Array.from({ length: 990 }, () => ({ recv: 1_000n, app_cpu: 2_000n }))
  const slow = Array.from({ length: 10 }, (_, index) => ({
    recv: 1_000n,
    runqueue: 5_000_000n + BigInt(index),
  }))
  const [, , p99] = buildTail(recordRequests([...fast, ...slow]))
  t.deepEqual(p99?.stages, [
    { name: 'runqueue', sumNs: 50_000_045n, meanNs: 5_000_004.5 },
    { name: 'recv', sumNs: 10_000n, meanNs: 1_000 },
    { name: 'app_cpu', sumNs: 0n, meanNs: 0 },
  ])
})

test('of the boundary bucket a tail row takes its share', t => {
  // Both totals fall into the same bucket, so half of it stands for its mean.
  const [p50] = buildTail(recordRequests([{ recv: 1_024n }, { send: 1_030n }]))
  t.deepEqual(p50, {
    fromPercentile: 50,
    requests: 1,
    sumNs: 1_027n,
    meanNs: 1_027,
    stages: [
      { name: 'recv', sumNs: 512n, meanNs: 512 },
      { name: 'send', sumNs: 515n, meanNs: 515 },
    ],
  })
})

test('no requests make an empty result without a number', t => {
  t.deepEqual(breakdown(emptyCounts()), {
    requests: 0,
    deep: 0,
    total: { mean: null, p50: null, p90: null, p99: null, p999: null, max: null },
    stages: [],
    tail: [50, 90, 99, 99.9].map(fromPercentile => ({
      fromPercentile,
      requests: 0,
      sumNs: 0n,
      meanNs: null,
      stages: [],
    })),
  })
})

test('long sums divide without losing nanoseconds', t => {
  t.is(divide(2n ** 63n, 2), 2 ** 62)
  t.is(divide(3n * (2n ** 53n + 2n), 3), 2 ** 53 + 2)
  t.is(divide(7n, 2), 3.5)
})

test('requests that were not followed in depth count by their totals alone', t => {
  fc.assert(
    fc.property(arbitraryRequests, arbitraryRequests, (deep, shallow) => {
      const counts = recordRequests([...deep, ...shallow])
      // As the kernel keeps them: their stages are nowhere, and their totals in the sums of all.
      const whole = recordRequests(deep)
      counts.stages = whole.stages
      counts.tailStageNs = whole.tailStageNs
      counts.shallowRequests = recordRequests(shallow).tailRequests
      const all = [...deep, ...shallow]
      const result = breakdown(counts)
      t.is(result.requests, all.length)
      t.is(result.deep, deep.length)
      t.deepEqual(result.stages, breakdown({ ...whole, maxNs: counts.maxNs }).stages)
      const sum = all.reduce((ns, request) => ns + totalOf(request), 0n)
      t.is(result.total.mean, all.length === 0 ? null : divide(sum, all.length))
      const slowestFirst = all.map(totalOf).toSorted((a, b) => Number(b - a))
      for (const row of result.tail) {
        const expected = Number(slowestFirst.slice(0, row.requests).reduce((ns, total) => ns + total, 0n))
        t.is(row.meanNs, row.requests === 0 ? null : divide(row.sumNs, row.requests))
        t.true(
          Math.abs(Number(row.sumNs) - expected) <= expected / 32 + STAGES.length + 1,
          `${row.sumNs} ${expected}`,
        )
      }
    }),
  )
})
