import { assertExact } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { type Service, startMemcached, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'

const REQUESTS = 20_000

const SERVICES: Record<string, (t: Context) => Promise<Service>> = {
  'that hands sockets from one thread to another': t => startService(t, '--model', 'handoff'),
  'with several threads that read and one that answers': t =>
    startService(t, '--model', 'handoff', '--threads', 3),
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

kernelTest('counts each request of a thread that the service starts while it is measured', async t => {
  const service = await startService(t, '--model', 'thread-per-connection')
  const measurement = await startMeasuring(t, '--port', service.port)
  for (const connections of [1, 5, 20]) {
    await runLoad(t, { port: service.port, connections, requests: 1000 })
  }
  const document = await measurement.stop()
  assertExact(t, document, 3000)
  // Threads are known from their first moment: each request had a recv, and its service's own time.
  for (const name of ['recv', 'app_cpu', 'send']) {
    t.is(document.stages.find(stage => stage.name === name)?.requests, 3000, name)
  }
})
