import { once } from 'node:events'
import { connect } from 'node:net'
import type { MeasureDocument } from '../../src/latency/document.js'
import { STAGES_OF } from '../../src/latency/stages.js'
import { assertAddsUp, assertExact, assertNear, spreadMean } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type Load, runLoad } from './support/load.js'
import { createNetnsPair } from './support/netns.js'
import { readStat, startMemcached, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

/** Measures what the load client sends, and gives what taut and the client itself say of it. */
const measureClient = async (t: Context, load: Load) => {
  const measurement = await startMeasuring(t, '--to', load.port)
  const own = await runLoad(t, load)
  return { document: await measurement.stop(), own }
}

const assertIsClients = (t: Context, { target, stages }: MeasureDocument): void => {
  t.is(target.role, 'client')
  const names = stages.map(({ name }) => name)
  t.deepEqual(
    names,
    STAGES_OF.client.filter(name => names.includes(name)),
  )
  for (const name of ['send', 'peer', 'protocol', 'recv'] as const) t.true(names.includes(name), name)
}

const LOADS: Record<string, Omit<Load, 'port'>> = {
  'on 8 connections': { connections: 8, requests: 100_000 },
  'on 1000 connections': { connections: 1000, requests: 50_000 },
  'with a connection for each': { connections: 4, requests: 5_000, reconnect: true },
}

for (const [name, load] of Object.entries(LOADS)) {
  kernelTest(
    `counts each request that a client sends ${name}, as long as the client finds it`,
    async t => {
      const service = await startMemcached(t)
      const { document, own } = await measureClient(t, { port: service.port, ...load })
      assertExact(t, document, load.requests)
      assertIsClients(t, document)
      // The client looks at its clock before it sends and after it has read: what lies between is longer.
      t.true((document.total.mean_us ?? Number.NaN) < own.mean_us)
      t.true(spreadMean(document, 'peer') > 0)
    },
    'memcached',
  )
}

kernelTest(
  'counts what a client sends out of its network namespace over IPv6, and not what others do',
  async t => {
    const pair = await createNetnsPair(t)
    const service = await startMemcached(t, [], { host: pair.ipv6, netns: pair.server })
    const measurement = await startMeasuring(t, '--to', service.port, '--netns', pair.client)
    const load = { host: pair.ipv6, port: service.port, connections: 8 }
    await runLoad(t, { ...load, requests: 20_000 }, pair.client)
    await runLoad(t, { ...load, requests: 1_000 }, pair.server)
    assertExact(t, await measurement.stop(), 20_000)
  },
  'memcached',
  'ip',
)

kernelTest(
  'counts the last reply of a connection that stays open, and a request that nobody has answered as in flight',
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--to', service.port)
    const socket = connect(service.port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    for (let request = 0; request < 100; request++) {
      socket.write('version\r\n')
      await once(socket, 'data')
    }
    // Half of a command: memcached waits for the rest.
    await new Promise(resolve => socket.write('vers', resolve))
    const document = await measurement.stop()
    t.is(document.requests, 100)
    t.is(document.in_flight, 1)
    t.is(document.unanswered, 0)
    assertAddsUp(t, document)
  },
  'memcached',
)

kernelTest(
  'a client that closes without an answer, and one that sends before it has read',
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--to', service.port)
    const socket = connect(service.port, '127.0.0.1')
    await once(socket, 'connect')
    await new Promise(resolve => socket.write('vers', resolve))
    socket.destroy()
    await once(socket, 'close')
    const before = await readStat(service, 'cmd_get')
    await runLoad(t, { port: service.port, connections: 2, pipeline: 16, requests: 16_000 })
    const document = await measurement.stop()
    t.is((await readStat(service, 'cmd_get')) - before, 16_000)
    t.is(document.unanswered, 1)
    // Turns, each with several requests; and the statistics above, which are asked for over such a connection as well.
    t.true(document.requests > 0 && document.requests <= 16_002)
    t.is(document.in_flight, 0)
    t.is(document.lost.clock, 0)
    assertAddsUp(t, document)
  },
  'memcached',
)

kernelTest(
  'a large reply is read in pieces, a large request sent in pieces',
  async t => {
    const service = await startMemcached(t)
    const load = { port: service.port, connections: 2, requests: 500 }
    const large = await measureClient(t, { ...load, 'value-bytes': 500_000 })
    // The value is stored first, by a request besides the others.
    assertExact(t, large.document, load.requests + 1)
    t.true(spreadMean(large.document, 'body') > 0)
    const stored = await measureClient(t, { ...load, 'set-bytes': 500_000 })
    assertExact(t, stored.document, load.requests)
  },
  'memcached',
)

kernelTest(
  'measuring ends in the middle of traffic: no request is as long as the time between two',
  async t => {
    const service = await startMemcached(t)
    const measurement = await startMeasuring(t, '--to', service.port)
    // On each connection a tenth of a second passes between two requests.
    const load = runLoad(t, { port: service.port, connections: 200, requests: 8_000, rate: 2_000 })
    await waitFor('a thousand requests', async () =>
      (await readStat(service, 'cmd_get')) >= 1_000 ? true : null,
    )
    const document = await measurement.stop()
    await load
    t.true(document.requests >= 1_000 && document.requests < 8_000)
    t.true((document.total.max_us ?? Number.NaN) < 50_000, `${document.total.max_us} us`)
    t.is(document.unanswered, 0)
    assertAddsUp(t, document)
  },
  'memcached',
)

const DELAY_US = 2000

kernelTest('shows the 2 ms that the other side works in peer, by its own clock', async t => {
  const run = async (...delay: (string | number)[]) => {
    const service = await startService(t, '--place', 'app_wait', ...delay)
    const { document } = await measureClient(t, { port: service.port, requests: 500, rate: 250 })
    const account = await service.finish()
    assertExact(t, document, 500)
    return { document, ownUs: account.delayed_ns / 500 / 1000 }
  }
  const base = await run()
  const delayed = await run('--delay-us', DELAY_US)
  const ownUs = delayed.ownUs - base.ownUs
  t.true(ownUs >= DELAY_US * 0.9)
  for (const name of STAGES_OF.client) {
    const moved = spreadMean(delayed.document, name) - spreadMean(base.document, name)
    if (name === 'peer') assertNear(t, moved, ownUs, ownUs * 0.03, name)
    else assertNear(t, moved, 0, DELAY_US * 0.05, name)
  }
})
