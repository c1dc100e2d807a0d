import type { Lost } from '../../src/latency/counts.js'
import { askOnce, openConnections } from './support/client.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { startAnswering } from './support/processes.js'
import { type Place, startMemcached, startService } from './support/services.js'

const TRACER = rootPath('dist/test/kernel/fixtures/small-map-tracer.js')

type Counts = { requests: number; begun: number; unsplit: number; lost: Lost }

/** Traces a target with room for so many in one of the maps; gives what tells the counts until then. */
const startTracer = async (t: Context, target: string, map: string, room: number) => {
  const ask = await startAnswering<Counts>(t, TRACER, [target, map, room])
  return () => ask('')
}

const losing = (requests: number): Lost => ({
  ringbuf_full: 0,
  map_full: requests,
  unmatched: 0,
  clock: 0,
  recursion: 0,
})

const [ROOM, CONNECTIONS, EACH] = [2, 5, 40]

/** Asks on all connections, one after the other. */
const askInTurn = async (t: Context, service: Place): Promise<void> => {
  const sockets = await openConnections(t, service, CONNECTIONS)
  for (let request = 0; request < EACH; request++) for (const socket of sockets) await askOnce(socket)
}

kernelTest('each request of a service that there is no room for is lost, once', async t => {
  const service = await startService(t)
  const read = await startTracer(t, `${service.port}`, 'connections', ROOM)
  await askInTurn(t, service)
  const { requests, begun, lost } = await read()
  t.deepEqual({ requests, begun }, { requests: ROOM * EACH, begun: ROOM * EACH })
  t.deepEqual(lost, losing((CONNECTIONS - ROOM) * EACH))
})

kernelTest(
  'of requests on hundreds of connections at once, each that there is no room for is lost, once',
  async t => {
    const service = await startService(t)
    const read = await startTracer(t, `${service.port}`, 'connections', ROOM)
    const load = { port: service.port, connections: 500, requests: 10_000 }
    await runLoad(t, load)
    const { requests, begun, lost } = await read()
    t.is(requests, begun)
    t.deepEqual(lost, losing(load.requests - requests))
  },
)

kernelTest('each request of clients that there is no room for is lost, once', async t => {
  const service = await startService(t)
  const read = await startTracer(t, `to:${service.port}`, 'exchanges', ROOM)
  await askInTurn(t, service)
  const { requests, begun, lost } = await read()
  // The last request of each connection ends with the next one.
  t.deepEqual({ requests, begun }, { requests: ROOM * (EACH - 1), begun: ROOM * EACH })
  t.deepEqual(lost, losing((CONNECTIONS - ROOM) * EACH))
})

for (const role of ['service', 'client'] as const) {
  kernelTest(
    `a request of many packets, calls and pieces that there is no room for is lost once: of a ${role}`,
    async t => {
      const service = await startMemcached(t, ['-I', '2m', '-m', 256])
      const target = role === 'client' ? `to:${service.port}` : `${service.port}`
      const read = await startTracer(t, target, role === 'client' ? 'exchanges' : 'connections', 1)
      // It takes the only room, and keeps it.
      const [first] = await openConnections(t, service, 1)
      await new Promise(resolve => first?.write('vers', resolve))
      await runLoad(t, { port: service.port, connections: 4, requests: 300, 'set-bytes': 500_000 })
      const { requests, begun, lost } = await read()
      t.deepEqual({ requests, begun }, { requests: 0, begun: 1 })
      t.deepEqual(lost, losing(300))
    },
    'memcached',
  )
}

kernelTest('requests of threads that there is no room for are counted, and said to lack stages', async t => {
  const service = await startService(t, '--model', 'thread-per-connection')
  // The main thread and the one that accepts are all that there is room for.
  const read = await startTracer(t, `${service.port}`, 'threads', 2)
  const load = { port: service.port, connections: 5, requests: 500 }
  await runLoad(t, load)
  const { requests, unsplit, lost } = await read()
  t.deepEqual(
    { requests, unsplit, lost },
    { requests: load.requests, unsplit: load.requests, lost: losing(0) },
  )
})
