import type { MeasureDocument } from '../../src/latency/document.js'
import { assertAddsUp, assertExact } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { connectFirst, runLoad } from './support/load.js'
import { createNetnsPair, setNamespaceSysctl } from './support/netns.js'
import { listCpus, pinProcess } from './support/scheduler.js'
import { startFileServer, startMemcached, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'

/**
 * Large replies are worked off a socket's backlog, where an interrupt can bring the same probe on top of itself. The kernel leaves
 * that run out and counts it, of which there are few.
 */
const forgiveRecursion = (t: Context, document: MeasureDocument): MeasureDocument => {
  const { recursion } = document.lost
  t.true(recursion <= document.requests / 100, `${recursion} runs were left out`)
  return { ...document, lost: { ...document.lost, recursion: 0 } }
}

kernelTest(
  'a request of many segments is one request, with a body',
  async t => {
    const service = await startMemcached(t, ['-I', '2m', '-m', 256])
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, connections: 4, requests: 300, 'set-bytes': 500_000 })
    const document = await measurement.stop()
    assertExact(t, document, 300)
    const body = document.stages.find(({ name }) => name === 'body')
    // It takes several recv calls to read half a megabyte, so that there is more after the first.
    t.is(body?.requests, 300)
    t.true((body?.mean_us ?? 0) > 0)
  },
  'memcached',
)

kernelTest(
  'a request that one recv took whole has no body',
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, connections: 4, requests: 2000, 'set-bytes': 100 })
    const document = await measurement.stop()
    assertExact(t, document, 2000)
    t.is(
      document.stages.find(({ name }) => name === 'body'),
      undefined,
    )
  },
  'memcached',
)

kernelTest(
  'a reply of many packets is one reply',
  async t => {
    const service = await startMemcached(t, ['-I', '2m'])
    // The value is stored before the connections open, and so before the measurement begins.
    const load = { port: service.port, connections: 4, requests: 300, 'value-bytes': 500_000 }
    const send = await connectFirst(t, load)
    const measurement = await startMeasuring(t, '--port', service.port)
    t.is((await send()).misses, 0)
    assertExact(t, await measurement.stop(), 300)
  },
  'memcached',
)

// Nagle's algorithm holds all pieces but the first back until the client acknowledges that, which takes a while.
kernelTest('a reply of many send calls is one reply', async t => {
  const service = await startService(t, '--reply-bytes', 4000, '--pieces', 8)
  const measurement = await startMeasuring(t, '--port', service.port)
  await runLoad(t, { port: service.port, connections: 8, requests: 400 })
  assertExact(t, await measurement.stop(), 400)
})

kernelTest('a reply of many packets and send calls is one reply', async t => {
  const service = await startService(t, '--reply-bytes', 400_000, '--pieces', 8)
  const measurement = await startMeasuring(t, '--port', service.port)
  await runLoad(t, { port: service.port, connections: 4, requests: 300 })
  assertExact(t, await measurement.stop(), 300)
})

// With several requests on their way, what a service reads and answers in one go is one turn: no protocol is
// understood, so there is no telling how many requests were in it. What can be said is asserted: no more turns than
// requests, every turn that begins ends, no negative time, and turns that overlap are said to.
kernelTest(
  'turns of pipelined requests all end, and are said to overlap',
  async t => {
    const service = await startMemcached(t)
    // On one CPU the client sends while the service waits, and nothing overlaps.
    const [clientCpu = 0, serviceCpu = clientCpu] = listCpus()
    await pinProcess(service.pid, serviceCpu)
    const measurement = await startMeasuring(t, '--port', service.port)
    const load = { port: service.port, connections: 4, requests: 40_000, pipeline: 16 }
    // Whether the next requests come before a reply has left is a matter of chance.
    const loads = 5
    for (let run = 0; run < loads; run++) await runLoad(t, load, undefined, clientCpu)
    const document = await measurement.stop()
    t.true(document.requests > 0 && document.requests <= loads * load.requests)
    t.true(document.pipelined > 0, JSON.stringify(document))
    t.true(document.pipelined <= document.requests)
    t.deepEqual(document.lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })
    t.deepEqual([document.in_flight, document.unanswered], [0, 0])
    t.true(document.exemplars.every(({ stages }) => Object.values(stages).every(us => us >= 0)))
    assertAddsUp(t, document)
  },
  'memcached',
)

kernelTest(
  'turns of pipelined requests are as many as the service has read and answered in one go',
  async t => {
    const service = await startService(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, connections: 4, requests: 40_000, pipeline: 16 })
    const document = await measurement.stop()
    const { requests, rounds } = await service.finish()
    t.is(requests, 40_000)
    t.true(rounds < requests, 'some were answered together')
    t.is(document.requests, rounds)
  },
)

// The client can take in little at a time, so that replies wait in the send queue while the next request is read.
kernelTest(
  'turns whose replies wait to be sent keep their own points',
  async t => {
    const { server, client, ipv4 } = await createNetnsPair(t)
    await setNamespaceSysctl(client, 'net.ipv4.tcp_rmem', '4096 16384 16384')
    const service = await startMemcached(t, ['-I', '2m'], { host: ipv4, netns: server })
    const load = {
      host: ipv4,
      port: service.port,
      connections: 2,
      requests: 400,
      pipeline: 10,
      'value-bytes': 100_000,
    }
    const send = await connectFirst(t, load, client)
    const measurement = await startMeasuring(t, '--port', service.port, '--netns', server)
    t.is((await send()).misses, 0)
    const document = await measurement.stop()
    t.true(document.requests > 0 && document.requests <= load.requests)
    t.true(document.pipelined > 0 && document.pipelined <= document.requests)
    const { lost } = forgiveRecursion(t, document)
    t.deepEqual(lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })
    t.deepEqual([document.in_flight, document.unanswered], [0, 0])
    assertAddsUp(t, document)
  },
  'memcached',
)

kernelTest(
  'what memcached has left unread when it answers begins the next turn',
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--port', service.port)
    // One write, of which memcached takes only a part with its first read.
    await runLoad(t, { port: service.port, connections: 1, requests: 4096, pipeline: 4096 })
    const document = await measurement.stop()
    t.true(document.requests > 1)
    t.true(document.pipelined > 0)
    t.deepEqual([document.in_flight, document.unanswered, document.lost.clock], [0, 0, 0])
    assertAddsUp(t, document)
  },
  'memcached',
)

for (const bytes of [100, 1_000_000]) {
  kernelTest(
    `a reply of ${bytes} bytes that goes by sendfile, behind its header, is one reply`,
    async t => {
      const service = await startFileServer(t, bytes)
      const measurement = await startMeasuring(t, '--port', service.port)
      await runLoad(t, { port: service.port, protocol: 'http', connections: 4, requests: 1000 })
      const document = await measurement.stop()
      // It begins with the header, whose call is seen: hardly any is unsplit.
      assertExact(t, forgiveRecursion(t, document), 1000)
    },
    'nginx',
  )
}
