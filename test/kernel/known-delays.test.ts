import type { MeasureDocument } from '../../src/latency/document.js'
import { isInTotal, STAGES, type StageName } from '../../src/latency/stages.js'
import { assertExact, spreadMean } from './support/assertions.js'
import { assertNoFaults, findFar } from './support/comparison.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { readStolen } from './support/scheduler.js'
import { type Account, ofHandOvers, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'

const DELAY_US = 2000
/** At this rate the service is busy for half of the time, and requests do not queue behind each other. */
const LOAD = { requests: 500, rate: 250 }
const OF_ITS_OWN_CLOCK = 0.03
const OF_OTHER_STAGES = 0.05

/** Runs the service with a delay and gives what taut and the service itself say of the same requests. */
const measureService = async (
  t: Context,
  ...args: (string | number)[]
): Promise<{ document: MeasureDocument; account: Account }> => {
  const service = await startService(t, ...args)
  const measurement = await startMeasuring(t, '--port', service.port)
  await runLoad(t, { port: service.port, ...LOAD })
  const document = await measurement.stop()
  const account = await service.finish()
  assertExact(t, document, LOAD.requests, { undivided: ofHandOvers(args) })
  t.is(account.requests, LOAD.requests)
  return { document, account }
}

/** How the delayed run differs from the one without delay, each in microseconds a request. */
type Difference = {
  /** What each stage moved by. */
  moved: Map<StageName, number>
  /** What the service's own clock says the delay was. */
  ownUs: number
  /** How long the service's thread was preempted during the delay, which is no part of computing but a wait. */
  preemptedUs: number
  /** How much longer the hand-over from one of its threads to another took. */
  handedUs: number
  /** How much longer or shorter the service's threads waited for a CPU outside of the delay. */
  competitionUs: number
  /** What the hypervisor took from the machine's CPUs, in both runs together. */
  stolenUs: number
}

const compareRuns = async (t: Context, place: string, model: string[]): Promise<Difference> => {
  const stolenBefore = await readStolen()
  const base = await measureService(t, ...model, '--place', place)
  const delayed = await measureService(t, ...model, '--place', place, '--delay-us', DELAY_US)
  const difference = (read: (account: Account) => number): number =>
    (read(delayed.account) - read(base.account)) / LOAD.requests / 1000
  return {
    moved: new Map(
      STAGES.filter(isInTotal).map(name => [
        name,
        spreadMean(delayed.document, name) - spreadMean(base.document, name),
      ]),
    ),
    ownUs: difference(account => account.delayed_ns),
    preemptedUs: difference(account => account.preempted_ns),
    handedUs: difference(account => account.handed_ns),
    stolenUs: ((await readStolen()) - stolenBefore) / LOAD.requests / 1000,
    competitionUs: difference(account => account.other_run_delay_ns),
  }
}

/** Asserts that the delay is in its stage, and nowhere else. `expect` gives what moves, in microseconds a request. */
const assertDelay = (
  t: Context,
  expect: (difference: Difference) => Partial<Record<StageName, number>>,
  place: string,
  ...model: string[]
): Promise<void> =>
  assertNoFaults(t, async () => {
    const difference = await compareRuns(t, place, model)
    const { moved, ownUs, competitionUs, stolenUs } = difference
    t.true(ownUs >= DELAY_US * 0.9)
    const expected = expect(difference)
    const faults = [...moved].flatMap(([name, us]) => {
      const expectedUs = expected[name] ?? 0
      const bound = expectedUs > DELAY_US / 2 ? ownUs * OF_ITS_OWN_CLOCK : DELAY_US * OF_OTHER_STAGES
      return findFar(name, us, expectedUs, bound)
    })
    const isDisturbed = Math.max(Math.abs(competitionUs), stolenUs) > (DELAY_US * OF_OTHER_STAGES) / 2
    const disturbance = `others took ${competitionUs} us a request, the hypervisor ${stolenUs} us`
    return { faults, disturbance: isDisturbed ? disturbance : null }
  })

/** What the service was preempted for while it computed is no computing. */
const computing = ({ ownUs, preemptedUs, handedUs }: Difference) => ({
  app_cpu: ownUs - preemptedUs,
  app_wait: preemptedUs + handedUs,
})
const sleeping = ({ ownUs, handedUs }: Difference) => ({ app_wait: ownUs + handedUs })
const dispatching = ({ ownUs }: Difference) => ({ dispatch: ownUs })

kernelTest('shows 2 ms of computing in app_cpu', t => assertDelay(t, computing, 'app_cpu'))

kernelTest('shows 2 ms of sleep in app_wait', t => assertDelay(t, sleeping, 'app_wait'))

kernelTest('shows 2 ms of work between epoll_wait and recv in dispatch', t =>
  assertDelay(t, dispatching, 'dispatch'),
)

kernelTest('shows 2 ms in another read between epoll_wait and recv in dispatch', t =>
  assertDelay(t, dispatching, 'blocked-dispatch'),
)

kernelTest('shows 2 ms of work between two recvs into one buffer in body', t =>
  assertDelay(t, ({ ownUs }) => ({ body: ownUs }), 'body'),
)

kernelTest('shows 2 ms of computing by the thread that answers for another that reads', t =>
  assertDelay(t, computing, 'app_cpu', '--model', 'handoff'),
)

kernelTest('shows 2 ms of computing by the thread that reads, before it hands the request over', t =>
  assertDelay(t, computing, 'before-handoff', '--model', 'handoff'),
)

kernelTest('shows 2 ms of sleep by the thread that answers for another that reads', t =>
  assertDelay(t, sleeping, 'app_wait', '--model', 'handoff'),
)
