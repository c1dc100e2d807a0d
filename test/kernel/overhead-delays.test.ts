import test from 'ava'
import type { Overheads } from '../../src/latency/overheads.js'
import { runqueue } from '../attribution/cpu-delays.js'
import { DELAY_US, type Injection, REQUESTS } from '../attribution/injection.js'
import { measureDelayed } from '../attribution/measure.js'
import { protocol } from '../attribution/packet-delays.js'
import { buildPrograms } from '../attribution/programs.js'
import { createWorld, type World } from '../attribution/world.js'
import { assertExact } from './support/assertions.js'
import { assertNoFaults, findFar } from './support/comparison.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listCpus } from './support/scheduler.js'
import { readSoftnet } from './support/softnet.js'

/** Of what was injected; the sample holds some of the requests only. */
const TOLERANCE = 0.1

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

/** The CPU time of a request's system calls, in nanoseconds: what is injected is no part of it. */
const sumSyscalls = ({ overheads: { syscalls } }: Run): number =>
  (syscalls ?? []).reduce((sum, { per_request, mean_ns }) => sum + per_request * (mean_ns ?? 0), 0)

/** Asserts that a number grows by what was injected, and tells both. */
const assertGrows = async (t: Context, injection: Injection, read: (run: Run) => number): Promise<void> => {
  const world = await createWorld(t)
  await assertNoFaults(t, async () => {
    const base = await measure(world, injection, 0)
    const delayed = await measure(world, injection, DELAY_US)
    const injected = delayed.injectedUs - base.injectedUs
    const said = JSON.stringify([base, delayed])
    t.true(injected > DELAY_US * 0.9, said)
    // Other machines on the same hardware slow everything, while the sample is taken.
    const slower = sumSyscalls(delayed) / sumSyscalls(base)
    return {
      faults: findFar(said, read(delayed) - read(base), injected, injected * TOLERANCE),
      disturbance: slower > 2 || slower < 0.5 ? `all calls became ${slower} times as slow` : null,
    }
  })
}

if (listCpus().length > 1) {
  kernelTest(
    'what a packet costs grows by what is injected into its softirq',
    t =>
      assertGrows(
        t,
        protocol,
        ({ overheads, packets }) => ((overheads.packet_ns ?? Number.NaN) / 1000) * packets,
      ),
    'memcached',
    'ip',
    'taskset',
  )

  kernelTest(
    "from ready to returned it takes as much longer as the service's CPU is taken away",
    t => assertGrows(t, runqueue, ({ overheads }) => overheads.ready_to_return_us ?? Number.NaN),
    'memcached',
    'ip',
    'taskset',
  )
}
