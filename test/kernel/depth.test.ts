import { createSocket, type Socket as Peer } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { MeasureDocument } from '../../src/latency/document.js'
import { assertNear } from './support/assertions.js'
import { askOnce, openConnection, openConnections, readAnswer, sendRequest } from './support/client.js'
import { startEcho } from './support/datagrams.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { startAnswering } from './support/processes.js'
import { startMemcached, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'

const TRACER = rootPath('dist/test/kernel/fixtures/depth-tracer.js')

/** So many connections, of which none or all are chosen by hash once in 2^31 runs. */
const CONNECTIONS = 32
const REQUESTS_EACH = 25
const REQUESTS = CONNECTIONS * REQUESTS_EACH

type Counts = Pick<MeasureDocument, 'requests' | 'unanswered' | 'lost'> & {
  deep: number
  begun: number
  total: { mean: number; max: number }
  stages: { name: string; requests: number; mean: number }[]
}

/** Starts a tracer; gives what sets the share that it follows in depth from then on, and gives the counts until then. */
const startTracer = (t: Context, target: string): Promise<(share: number) => Promise<Counts>> =>
  startAnswering<Counts>(t, TRACER, [target])

const askAll = async (sockets: Socket[]): Promise<void> => {
  for (let request = 0; request < REQUESTS_EACH; request++) await Promise.all(sockets.map(askOnce))
}

const assertNothingLost = (t: Context, { requests, begun, unanswered, lost }: Counts, sent: number): void => {
  t.deepEqual({ requests, begun, unanswered }, { requests: sent, begun: sent, unanswered: 0 })
  t.deepEqual(lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })
}

/** Asserts what a half, nothing and all of the connections in depth make of the same requests, asked three times. */
const assertDepths = async (t: Context, target: string, ask: () => Promise<void>): Promise<void> => {
  const setDepth = await startTracer(t, target)
  await setDepth(0.5)
  await ask()
  const half = await setDepth(0)
  assertNothingLost(t, half, REQUESTS)
  t.true(half.deep > 0 && half.deep < REQUESTS, `${half.deep} of ${REQUESTS}`)
  t.is(half.deep % REQUESTS_EACH, 0, 'a connection is followed as a whole')
  for (const { name, requests } of half.stages) t.true(requests <= half.deep, name)
  t.is(half.stages.find(({ name }) => name === 'recv')?.requests, half.deep)

  await ask()
  const none = await setDepth(1)
  assertNothingLost(t, none, 2 * REQUESTS)
  t.is(none.deep, half.deep)
  // What was followed before may be acknowledged since.
  const withoutAck = ({ stages }: Counts) => stages.filter(({ name }) => name !== 'ack')
  t.deepEqual(withoutAck(none), withoutAck(half))
  t.true(none.total.mean > 0 && none.total.max >= none.total.mean)

  await ask()
  const all = await setDepth(1)
  assertNothingLost(t, all, 3 * REQUESTS)
  t.is(all.deep, half.deep + REQUESTS)
}

kernelTest('follows the connections of a service that are chosen, and counts all', async t => {
  const service = await startService(t)
  const sockets = await openConnections(t, service, CONNECTIONS)
  await assertDepths(t, `${service.port}`, () => askAll(sockets))
})

kernelTest('follows the connections of clients that are chosen, and counts all', async t => {
  const service = await startService(t)
  const sockets = await openConnections(t, service, CONNECTIONS)
  const setDepth = await startTracer(t, `to:${service.port}`)
  await setDepth(0.5)
  await askAll(sockets)
  // The last request of each connection ends with the next one.
  const done = REQUESTS - CONNECTIONS
  const half = await setDepth(0)
  t.is(half.requests, done)
  t.true(half.deep > 0 && half.deep < done, `${half.deep} of ${done}`)
  t.is(half.deep % (REQUESTS_EACH - 1), 0, 'a connection is followed as a whole')
  await askAll(sockets)
  const none = await setDepth(0)
  t.is(none.requests, done + REQUESTS)
  t.is(none.deep, half.deep, 'those that had begun have met probes that were gone when they ended')
})

kernelTest('follows the peers of a UDP service that are chosen, and counts all', async t => {
  const service = await startEcho(t, {})
  const peers = Array.from({ length: CONNECTIONS }, () => createSocket('udp4'))
  t.teardown(() => {
    for (const peer of peers) peer.close()
  })
  const ask = async (peer: Peer): Promise<void> => {
    const answered = once(peer, 'message')
    peer.send('a question', service.port, service.host)
    await answered
  }
  await assertDepths(t, `${service.port}/udp`, async () => {
    for (let request = 0; request < REQUESTS_EACH; request++) await Promise.all(peers.map(ask))
  })
})

kernelTest('a request in whose midst the depth changes is counted by its total alone', async t => {
  const delayUs = 300_000
  const service = await startService(t, '--place', 'app_wait', '--delay-us', delayUs)
  const socket = await openConnection(t, service)
  const setDepth = await startTracer(t, `${service.port}`)
  const answered = readAnswer(socket)
  await sendRequest(socket)
  await setDepth(0)
  await answered
  const counts = await setDepth(1)
  assertNothingLost(t, counts, 1)
  t.is(counts.deep, 0)
  t.true(counts.total.mean > delayUs * 1000)
})

kernelTest(
  'within a budget that counting alone exceeds, counts stay exact and hardly a stage is told',
  async t => {
    const service = await startMemcached(t)
    const load = { port: service.port, connections: 64, requests: 400_000 }
    const measurement = await startMeasuring(t, '--port', service.port, '--budget', '0.01%')
    await runLoad(t, load)
    const document = await measurement.stop()
    t.is(document.requests, load.requests)
    t.deepEqual(document.lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })
    t.is(document.cost.budget_percent, 0.01)
    t.true((document.cost.machine_percent ?? 0) > 0.01)
    t.true(document.depth.requests < load.requests)
    assertNear(
      t,
      document.depth.share ?? Number.NaN,
      document.depth.requests / load.requests,
      0.0005,
      'the share',
    )
  },
  'memcached',
)

kernelTest(
  'within a budget that is never reached every request is followed',
  async t => {
    const service = await startMemcached(t)
    const load = { port: service.port, connections: 8, requests: 50_000 }
    const measurement = await startMeasuring(t, '--port', service.port, '--budget', '100%')
    await runLoad(t, load)
    const { depth } = await measurement.stop()
    t.deepEqual(depth, { requests: load.requests, share: 1 })
  },
  'memcached',
)
