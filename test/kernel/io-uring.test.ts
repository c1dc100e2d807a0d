import type { MeasureDocument } from '../../src/latency/document.js'
import { isInTotal, STAGES_OF, type StageName } from '../../src/latency/stages.js'
import { assertExact, spreadMean } from './support/assertions.js'
import { assertNoFaults, findFar } from './support/comparison.js'
import { IO_URING } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { endProcess, startProcess, waitForOutput } from './support/processes.js'
import { readTaken } from './support/scheduler.js'
import { startMeasuring } from './support/taut.js'

const REQUESTS = 500
const DELAY_US = 2000
/** On one connection: of two requests at once, io_uring reads one while the service works on the other. */
const LOAD = { requests: REQUESTS, connections: 1, rate: 250 }

type Run = { document: MeasureDocument; ownUs: number; clientUs: number; disturbedUs: number }

/** Measures the service, and what took CPUs away from it meanwhile, in microseconds a request. */
const measure = async (
  t: Context,
  load: { requests: number; connections: number; rate?: number },
  ...args: string[]
) => {
  const running = await startProcess(t, IO_URING, args)
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  const measurement = await startMeasuring(t, '--port', Number(port))
  const before = await readTaken(running.pid)
  const client = await runLoad(t, { port: Number(port), ...load })
  const after = await readTaken(running.pid)
  const document = await measurement.stop()
  assertExact(t, { ...document, undivided: 0 }, load.requests)
  const { stdout } = await endProcess(running)
  const account = JSON.parse(stdout.slice(stdout.indexOf('{')))
  t.is(account.requests, load.requests)
  const each = (ns: number): number => ns / load.requests / 1000
  return {
    document,
    ownUs: each(account.delayed_ns),
    clientUs: client.mean_us,
    disturbedUs: each(after - before),
  } satisfies Run
}

kernelTest('counts each request of a service that receives and sends by io_uring', async t => {
  const { document, clientUs } = await measure(t, { connections: 4, requests: 20_000 })
  t.is(document.undivided, 0)
  const names = document.stages.map(({ name }) => name)
  for (const name of ['driver', 'protocol', 'recv', 'app_cpu', 'send'] as const)
    t.true(names.includes(name), name)
  t.true((document.total.mean_us ?? Number.NaN) < clientUs)
})

/** Asserts that a delay is in one stage and nowhere else. */
const assertDelay = (t: Context, stage: StageName, ...args: string[]): Promise<void> =>
  assertNoFaults(t, async () => {
    const base = await measure(t, LOAD, ...args)
    const delayed = await measure(t, LOAD, ...args, '--delay-us', String(DELAY_US))
    const ownUs = delayed.ownUs - base.ownUs
    t.true(ownUs >= DELAY_US * 0.9)
    const faults = STAGES_OF.server.filter(isInTotal).flatMap(name => {
      const moved = spreadMean(delayed.document, name) - spreadMean(base.document, name)
      const [expected, bound] = name === stage ? [ownUs, ownUs * 0.05] : [0, DELAY_US * 0.05]
      return findFar(name, moved, expected, bound)
    })
    const disturbedUs = Math.max(base.disturbedUs, delayed.disturbedUs)
    return {
      faults,
      disturbance: disturbedUs > DELAY_US * 0.02 ? `others took ${disturbedUs} us a request` : null,
    }
  })

kernelTest('shows 2 ms of computing between receiving and sending by io_uring in app_cpu', t =>
  assertDelay(t, 'app_cpu'),
)

kernelTest('shows 2 ms of sleep between receiving and sending by io_uring in app_wait', t =>
  assertDelay(t, 'app_wait', '--sleep'),
)

kernelTest(
  'counts each request that a thread of the kernel takes up, and where the application had it',
  async t => {
    const { document, ownUs } = await measure(t, LOAD, '--sqpoll', '--sleep', '--delay-us', String(DELAY_US))
    // Which part of it the service slept that thread does not tell, and what that thread waited for is no answer.
    t.is(document.undivided, REQUESTS - document.unsplit, JSON.stringify(document))
    t.is(spreadMean(document, 'app_wait'), 0)
    const span = spreadMean(document, 'app_cpu')
    t.true(span >= ownUs * 0.95, `${span} of ${ownUs} us`)
    for (const name of ['recv', 'send', 'dispatch', 'runqueue'] as const) {
      t.true(spreadMean(document, name) < DELAY_US / 2, name)
    }
  },
)
