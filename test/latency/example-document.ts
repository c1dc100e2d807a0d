import { type MeasureDocument, measureDocument } from '../../src/latency/document.js'
import type { OverheadSample } from '../../src/latency/overheads.js'
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

const exampleSample: OverheadSample = {
  requests: 1000,
  seconds: 0.025,
  recursion: 0,
  syscalls: [
    { name: 'sendmsg', entered: 1000, returned: 1000, cpuNs: 6_200_000 },
    { name: 'read', entered: 1990, returned: 1990, cpuNs: 1_310_000 },
    { name: 'epoll_wait', entered: 1000, returned: 998, cpuNs: 950_000 },
  ],
  voluntary: 420,
  involuntary: 13,
  recv_calls: 1000,
  recv_ns: 240_000,
  send_calls: 1000,
  send_ns: 310_000,
  waits: 1000,
  events: 1150,
  woken_waits: 420,
  woken_ns: 1_900_000,
  rx_ns: 5_100_000,
  packets: 2000,
  gro_packets: 0,
  gro_merged: 0,
  polls: 2000,
  polled_packets: 2000,
  card_packets: 0,
  card_interrupts: 0,
}

/** The document of a memcached whose slow requests waited for a CPU: always the same numbers. */
export const exampleDocument = (requests = 20_000): MeasureDocument =>
  measureDocument({
    version: '0.1.0',
    host: {},
    kernel: '6.18.0',
    target: { role: 'server', port: 11211, protocol: 'tcp', comm: 'memcached', pid: 1234 },
    session: 'example',
    startedAt: new Date(Date.UTC(2026, 0, 1)),
    seconds: 1,
    inFlight: 2,
    counts: recordRequests(Array.from({ length: requests }, exampleRequest)),
    overheads: exampleSample,
    service: { cpu_percent: 84.2, rss_bytes: 12_300_000 },
    cost: {
      bpf_ns_per_request: 612.3,
      agent_cpu_percent: 0.71,
      agent_rss_bytes: 61_000_000,
      machine_percent: 0.52,
      budget_percent: null,
    },
    exemplars: [],
  })
