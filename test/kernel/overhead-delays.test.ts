import test from 'ava'
import type { Overheads } from '../../src/latency/overheads.js'
import { beforeCopy, beforeSend } from '../attribution/call-delays.js'
import { runqueue } from '../attribution/cpu-delays.js'
import { DELAY_US, type Injection, REQUESTS } from '../attribution/injection.js'
import { measureDelayed } from '../attribution/measure.js'
import { driver, protocol, send } from '../attribution/packet-delays.js'
import { buildPrograms } from '../attribution/programs.js'
import { dispatch } from '../attribution/service-delays.js'
import { createWorld, type World } from '../attribution/world.js'
import { assertExact, followsSyscalls } from './support/assertions.js'
import { assertNoFaults, findFar } from './support/comparison.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listCpus } from './support/scheduler.js'
import { readSoftnet } from './support/softnet.js'

/** Of what was injected; the sample holds some of the requests only. */
const TOLERANCE = 0.1
/** Of what was injected elsewhere. */
const NOTHING = 0.01

type Run = { overheads: Overheads; injectedUs: number; packets: number }

test.before('builds the programs that delay', buildPrograms)

/** Measures requests, each delayed once; times and packets are a request's. */
const measure = async (world: World, injection: Injection, delayUs: number): Promise<Run> => {
  const before = await readSoftnet()
  const { document, injectedNs } = await measureDelayed(world, injection, delayUs)
  const packets = ((await readSoftnet()).packets - before.packets) / REQUESTS
  assertExact(world.t, { ...document, pipelined: 0 }, REQUESTS)
  return { overheads: document.overheads, injectedUs: injectedNs / REQUESTS / 1000, packets }
}

/** The CPU time of a request's system calls, in nanoseconds. */
const sumSyscalls = ({ overheads: { syscalls } }: Run): number =>
  (syscalls ?? []).reduce((sum, { per_request, mean_ns }) => sum + per_request * (mean_ns ?? 0), 0)

type Case = {
  injection: Injection
  /** What is looked at, in microseconds. */
  read: (run: Run) => number
  /** How much of the delay has to be found in that. */
  share: 0 | 1
  /** What is delayed is a system call of the service, on the CPU. */
  delaysCalls?: true
}

/** Asserts that a number grows by what was injected, or not at all, and tells both. */
const assertGrows = async (t: Context, { injection, read, share, delaysCalls }: Case): Promise<void> => {
  const world = await createWorld(t)
  await assertNoFaults(t, async () => {
    const base = await measure(world, injection, 0)
    const delayed = await measure(world, injection, DELAY_US)
    const injected = delayed.injectedUs - base.injectedUs
    const said = JSON.stringify([base, delayed])
    t.true(injected > DELAY_US * 0.9, said)
    // Other machines on the same hardware slow everything, while the sample is taken.
    const inCalls = delaysCalls ? injected * 1000 : 0
    const slower = (sumSyscalls(delayed) - inCalls) / sumSyscalls(base)
    const tolerance = injected * (share === 0 ? NOTHING : TOLERANCE)
    return {
      faults: findFar(said, read(delayed) - read(base), injected * share, tolerance),
      disturbance: slower > 2 || slower < 0.5 ? `all calls became ${slower} times as slow` : null,
    }
  })
}

const readPacket = ({ overheads, packets }: Run): number =>
  ((overheads.packet_ns ?? Number.NaN) / 1000) * packets
const readVfsRecv = ({ overheads }: Run): number => (overheads.vfs_recv_ns ?? Number.NaN) / 1000
const readVfsSend = ({ overheads }: Run): number => (overheads.vfs_send_ns ?? Number.NaN) / 1000

const CASES: Record<string, Case> = {
  'what a packet costs grows by what is injected into its softirq': {
    injection: protocol,
    read: readPacket,
    share: 1,
  },
  'what a packet costs grows by what is injected into its driver': {
    injection: driver,
    read: readPacket,
    share: 1,
  },
  "from ready to returned it takes as much longer as the service's CPU is taken away": {
    injection: runqueue,
    read: ({ overheads }) => overheads.ready_to_return_us ?? Number.NaN,
    share: 1,
  },
  'the way of recv to the socket layer grows by what is injected into it': {
    injection: beforeCopy,
    read: readVfsRecv,
    share: 1,
    delaysCalls: true,
  },
  'the way of recv to the socket layer is not what the service does before it calls': {
    injection: dispatch,
    read: readVfsRecv,
    share: 0,
  },
  ...(!followsSyscalls() && {
    'the way of send to the socket layer grows by what is injected into it': {
      injection: beforeSend,
      read: readVfsSend,
      share: 1,
      delaysCalls: true,
    },
    'the way of send to the socket layer is not what TCP and IP do after it': {
      injection: send,
      read: readVfsSend,
      share: 0,
      delaysCalls: true,
    },
  }),
}

if (listCpus().length > 1) {
  for (const [title, each] of Object.entries(CASES))
    kernelTest(title, t => assertGrows(t, each), 'memcached', 'ip', 'taskset')
}
