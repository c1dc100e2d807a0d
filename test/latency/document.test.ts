import test from 'ava'
import fc from 'fast-check'
import { emptyCounts, perDeepRequest } from '../../src/latency/counts.js'
import { type Measurement, measureDocument } from '../../src/latency/document.js'
import { arbitraryRequests, recordRequests } from './record-requests.js'

const measurement: Measurement = {
  version: '0.1.0',
  host: { name: 'board', cpus: 4 },
  kernel: '6.18.0',
  target: { role: 'server', port: 11211, protocol: 'tcp', comm: 'memcached', pid: 123 },
  session: 'one',
  startedAt: new Date(Date.UTC(2026, 0, 1)),
  seconds: 5.00049,
  inFlight: 2,
  counts: recordRequests([
    { recv: 1_500n, app_cpu: 2_501n },
    { recv: 1_500n, send: 500n, ack: 9_000n },
  ]),
  overheads: 'the kernel refuses their probes',
  service: { cpu_percent: 84.20049, rss_bytes: 12_300_000 },
  cost: {
    bpf_ns_per_request: 412.34567,
    agent_cpu_percent: 0.71,
    agent_rss_bytes: 61_000_000,
    machine_percent: 0.52,
    budget_percent: null,
  },
  exemplars: [{ totalNs: 4_001n, cpu: { packet: 0, app: 1 }, stages: { recv: 1_500n, app_cpu: 2_501n } }],
}

test('the document has the fields that others script against', t => {
  const tailRow = { requests: 1, mean_us: 4.001, stages: { recv: 1.5, app_cpu: 2.501, send: 0 } }
  t.deepEqual(measureDocument(measurement), {
    schema: 1,
    taut: '0.1.0',
    host: { name: 'board', cpus: 4 },
    kernel: '6.18.0',
    target: { role: 'server', port: 11211, protocol: 'tcp', comm: 'memcached', pid: 123 },
    session: 'one',
    started_at: '2026-01-01T00:00:00.000Z',
    seconds: 5,
    requests: 2,
    in_flight: 2,
    unanswered: 0,
    pipelined: 0,
    unsplit: 0,
    undivided: 0,
    begun_late: 0,
    lost: { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 },
    depth: { requests: 2, share: 1 },
    total: { mean_us: 3.001, p50_us: 1.999, p90_us: 3.999, p99_us: 3.999, p999_us: 3.999, max_us: 4.001 },
    stages: [
      { name: 'recv', requests: 2, mean_us: 1.5, p50_us: 1.487, p99_us: 1.487 },
      { name: 'app_cpu', requests: 1, mean_us: 2.501, p50_us: 2.527, p99_us: 2.527 },
      { name: 'send', requests: 1, mean_us: 0.5, p50_us: 0.499, p99_us: 0.499 },
      { name: 'ack', requests: 1, mean_us: 9, p50_us: 9.087, p99_us: 9.087 },
    ],
    tail: [50, 90, 99, 99.9].map(from_percentile => ({ from_percentile, ...tailRow })),
    overheads: {
      syscalls_per_request: null,
      packet_ns: null,
      same_cpu_share: 0,
      vfs_ns: null,
      epoll_wakeups_per_request: null,
      syscalls: null,
      context_switches_per_request: null,
      packets_per_poll: null,
      packets_per_interrupt: null,
      gro_merged_share: null,
      vfs_recv_ns: null,
      vfs_send_ns: null,
      events_per_wakeup: null,
      ready_to_return_us: null,
      sample: null,
      reason: 'the kernel refuses their probes',
    },
    locality: [],
    steering: [],
    unplaced: 2,
    idle_exits: [],
    service: { cpu_percent: 84.2, rss_bytes: 12_300_000 },
    cost: {
      bpf_ns_per_request: 412.346,
      agent_cpu_percent: 0.71,
      agent_rss_bytes: 61_000_000,
      machine_percent: 0.52,
      budget_percent: null,
    },
    exemplars: [{ total_us: 4.001, cpu: { packet: 0, app: 1 }, stages: { recv: 1.5, app_cpu: 2.501 } }],
  })
})

test('the document survives JSON, and the weighted stages add up to the total within rounding', t => {
  fc.assert(
    fc.property(arbitraryRequests, requests => {
      const document = measureDocument({ ...measurement, counts: recordRequests(requests) })
      t.deepEqual(JSON.parse(JSON.stringify(document)), document)
      const weighted = document.stages
        .filter(stage => stage.name !== 'ack')
        .map(stage => (stage.mean_us * stage.requests) / Math.max(1, document.requests))
      const sum = weighted.reduce((total, mean) => total + mean, 0)
      const mean = document.total.mean_us ?? 0
      t.true(Math.abs(sum - mean) <= 0.014 + mean * 1e-12, `${sum} for ${mean}`)
    }),
  )
})

test('the stages of a client come in the order of a client, in the rows of the tail as well', t => {
  const counts = recordRequests([{ send: 10n, peer: 100n, driver: 5n, recv: 20n }])
  const target = { role: 'client', port: 80, protocol: 'tcp', comm: null, pid: null } as const
  const { stages, tail, total } = measureDocument({ ...measurement, target, counts })
  t.deepEqual(
    stages.map(({ name }) => name),
    ['send', 'peer', 'driver', 'recv'],
  )
  for (const row of tail) t.deepEqual(Object.keys(row.stages), ['send', 'peer', 'driver', 'recv'])
  t.is(total.mean_us, 0.135)
})

test('without requests the numbers of the total are null and the stages are empty', t => {
  const document = measureDocument({ ...measurement, counts: emptyCounts() })
  t.is(document.requests, 0)
  t.deepEqual(new Set(Object.values(document.total)), new Set([null]))
  t.deepEqual(document.stages, [])
  t.deepEqual(document.tail[2], { from_percentile: 99, requests: 0, mean_us: null, stages: {} })
})

test('a count for each request is null when there were none', t => {
  t.is(perDeepRequest(6, measurement.counts), 3)
  t.is(perDeepRequest(0, emptyCounts()), null)
})

test('a start that is no date is refused', t => {
  t.throws(() => measureDocument({ ...measurement, startedAt: new Date(Number.NaN) }), {
    instanceOf: RangeError,
  })
})
