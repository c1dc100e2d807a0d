import { assertExact } from './support/assertions.js'
import { openConnections, readAnswer, sendRequest } from './support/client.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { listThreadStates } from './support/processes.js'
import { type Service, startMemcached, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

const REQUESTS = 20_000

const HANDING_OVER: Record<string, (t: Context) => Promise<Service>> = {
  'that hands sockets from one thread to another': t => startService(t, '--model', 'handoff'),
  'with several threads that read and one that answers': t =>
    startService(t, '--model', 'handoff', '--threads', 3),
}

const SERVICES: Record<string, (t: Context) => Promise<Service>> = {
  'with a thread for every connection': t => startService(t, '--model', 'thread-per-connection'),
  'with four threads': t => startService(t, '--threads', 4),
}

for (const [name, start] of Object.entries(SERVICES)) {
  kernelTest(`counts each request of a service ${name}`, async t => {
    const service = await start(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, connections: 16, requests: REQUESTS })
    assertExact(t, await measurement.stop(), REQUESTS)
  })
}

for (const [name, start] of Object.entries(HANDING_OVER)) {
  kernelTest(`counts each request of a service ${name}, and how many needed no wake-up`, async t => {
    const service = await start(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, connections: 16, requests: REQUESTS })
    const document = await measurement.stop()
    assertExact(t, document, REQUESTS, { undivided: 1 })
    // The thread that answers is busy for most, and nothing tells when it takes up the next one.
    const divided = document.stages.find(({ name: stage }) => stage === 'app_wait')?.requests ?? 0
    t.true(document.undivided > 0)
    t.is(divided + document.undivided, REQUESTS - document.unsplit)
  })
}

kernelTest(
  'counts each request of memcached with four threads',
  async t => {
    const service = await startMemcached(t, ['-t', 4])
    const measurement = await startMeasuring(t, '--pid', service.pid)
    await runLoad(t, { port: service.port, connections: 16, requests: REQUESTS })
    assertExact(t, await measurement.stop(), REQUESTS)
  },
  'memcached',
)

kernelTest(
  'knows threads that the service starts while it is measured, from their first request on',
  async t => {
    const service = await startService(t, '--model', 'thread-per-connection')
    const measurement = await startMeasuring(t, '--port', service.port)
    const sockets = await openConnections(t, service, 10)
    // The main thread, the one that accepts, and one for every connection, which waits in recv.
    await waitFor('every thread to wait', async () => {
      const states = await listThreadStates(service.pid)
      return states.length === 2 + sockets.length && states.every(state => state === 'S') ? true : null
    })
    await Promise.all(sockets.map(sendRequest))
    await Promise.all(sockets.map(readAnswer))
    const document = await measurement.stop()
    assertExact(t, document, sockets.length)
    // Who is not known by then is not known to have waited.
    t.is(document.stages.find(({ name }) => name === 'runqueue')?.requests, sockets.length)
  },
)
