import test from 'ava'
import { describeOverheads, type OverheadSample } from '../../src/latency/overheads.js'
import { recordRequests } from './record-requests.js'

const counts = { ...recordRequests([{ recv: 1_000n }, { recv: 1_000n }]), sameCpu: 1 }

const sample: OverheadSample = {
  requests: 100,
  seconds: 0.50049,
  recursion: 3,
  syscalls: [
    { name: 'read', entered: 200, returned: 200, cpuNs: 100_000 },
    { name: 'epoll_wait', entered: 50, returned: 0, cpuNs: 0 },
    { name: 'sendmsg', entered: 100, returned: 99, cpuNs: 495_000 },
  ],
  voluntary: 30,
  involuntary: 2,
  recv_calls: 100,
  recv_ns: 30_000,
  send_calls: 50,
  send_ns: 20_000,
  waits: 40,
  events: 120,
  woken_waits: 10,
  woken_ns: 55_000,
  rx_ns: 600_000,
  packets: 300,
  gro_packets: 200,
  gro_merged: 50,
  polls: 60,
  polled_packets: 300,
  card_packets: 90,
  card_interrupts: 30,
}

test('the overheads of a sample', t => {
  t.deepEqual(describeOverheads(counts, sample), {
    syscalls_per_request: 3.5,
    packet_ns: 2000,
    same_cpu_share: 0.5,
    vfs_ns: 500,
    epoll_wakeups_per_request: 0.4,
    syscalls: [
      { name: 'sendmsg', per_request: 1, mean_ns: 5000 },
      { name: 'read', per_request: 2, mean_ns: 500 },
      { name: 'epoll_wait', per_request: 0.5, mean_ns: null },
    ],
    context_switches_per_request: { voluntary: 0.3, involuntary: 0.02 },
    packets_per_poll: 5,
    packets_per_interrupt: 3,
    gro_merged_share: 0.25,
    vfs_recv_ns: 300,
    vfs_send_ns: 400,
    events_per_wakeup: 3,
    ready_to_return_us: 5.5,
    sample: { requests: 100, seconds: 0.5, recursion: 3 },
    reason: null,
  })
})

test('without a sample only locality is known, and why there is none', t => {
  const { same_cpu_share, reason, ...others } = describeOverheads(counts, 'the kernel refuses their probes')
  t.is(same_cpu_share, 0.5)
  t.is(reason, 'the kernel refuses their probes')
  t.true(Object.values(others).every(value => value === null))
})

test('a sample in which nothing happened has no numbers', t => {
  const names = Object.keys(sample) as (keyof OverheadSample)[]
  const empty = {
    ...Object.fromEntries(names.map(name => [name, 0])),
    syscalls: [],
  } as unknown as OverheadSample
  const { sample: described, same_cpu_share, ...others } = describeOverheads(counts, empty)
  t.deepEqual(described, { requests: 0, seconds: 0, recursion: 0 })
  t.true(Object.values(others).every(value => value === null))
})
