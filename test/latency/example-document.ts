import { type MeasureDocument, measureDocument } from '../../src/latency/document.js'
import { recordRequests, type TestRequest } from './record-requests.js'

// Spreads a typical time over about an order of magnitude, the same for the same request.
const spread = (typicalNs: number, request: number, stage: number): bigint => {
  const phase = ((request * 2_654_435_761 + stage * 40_503) % 65_521) / 65_521
  return BigInt(Math.round(typicalNs * Math.exp(2 * (phase - 0.5))))
}

const exampleRequest = (_: unknown, index: number): TestRequest => {
  const isSlow = index % 40 === 0
  return {
    driver: spread(1_200, index, 1),
    protocol: spread(4_100, index, 3),
    runqueue: spread(isSlow ? 400_000 : 2_100, index, 5),
    dispatch: spread(isSlow ? 90_000 : 3_000, index, 6),
    recv: spread(2_500, index, 7),
    app_cpu: spread(9_000, index, 9),
    ...(index % 10 === 0 ? { app_wait: spread(5_000, index, 10) } : {}),
    send: spread(8_200, index, 11),
    qdisc: spread(420, index, 12),
  }
}

/** The document of a memcached whose slow requests waited for a CPU: always the same numbers. */
export const exampleDocument = (requests = 20_000): MeasureDocument =>
  measureDocument({
    version: '0.1.0',
    host: {},
    kernel: '6.18.0',
    target: { port: 11211, protocol: 'tcp', comm: 'memcached', pid: 1234 },
    startedAt: new Date(Date.UTC(2026, 0, 1)),
    seconds: 1,
    inFlight: 2,
    counts: recordRequests(Array.from({ length: requests }, exampleRequest)),
    overheads: {
      syscalls_per_request: 2.1,
      packet_ns: null,
      same_cpu_share: 0.5,
      vfs_ns: null,
      epoll_wakeups_per_request: 1,
    },
    cost: { bpf_ns_per_request: 612.3, agent_cpu_percent: 0.71, agent_rss_bytes: 61_000_000 },
    exemplars: [],
  })
