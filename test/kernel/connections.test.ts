import { assertExact, requestsOf } from './support/assertions.js'
import {
  countReadConnections,
  openConnections,
  readAnswer,
  sendRequest,
  waitUntilClosed,
} from './support/client.js'
import { kernelTest } from './support/kernel-test.js'
import { connectFirst, runLoad } from './support/load.js'
import { pauseProcess } from './support/processes.js'
import { startMemcached, startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

const NOTHING_LOST = { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 }

kernelTest(
  'counts requests on connections that were open before',
  async t => {
    const service = await startMemcached(t)
    const send = await connectFirst(t, { port: service.port, connections: 50, requests: 20_000 })
    const measurement = await startMeasuring(t, '--port', service.port)
    await send()
    assertExact(t, await measurement.stop(), 20_000)
  },
  'memcached',
)

for (const model of ['events', 'thread-per-connection']) {
  kernelTest(`counts one request a connection, served by ${model}`, async t => {
    const service = await startService(t, '--model', model)
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, connections: 8, requests: 5000, reconnect: true })
    const document = await measurement.stop()
    assertExact(t, document, 5000)
    // The client's end of the connection acknowledges its only reply, and nothing is read after that.
    t.is(requestsOf(document, 'ack'), 5000)
  })
}

kernelTest('counts one request a connection whose payload is there before it is accepted', async t => {
  const service = await startService(t)
  const measurement = await startMeasuring(t, '--port', service.port)
  await pauseProcess(service)
  const sockets = await openConnections(t, service, 20)
  await Promise.all(sockets.map(sendRequest))
  service.child.kill('SIGCONT')
  await Promise.all(sockets.map(readAnswer))
  assertExact(t, await measurement.stop(), 20)
})

kernelTest('answers that come after the client has closed its half are counted', async t => {
  const service = await startService(t)
  const measurement = await startMeasuring(t, '--port', service.port)
  for (let round = 0; round < 20; round++) {
    const sockets = await openConnections(t, service, 5)
    for (const socket of sockets) socket.end('request\n')
    await Promise.all(sockets.map(readAnswer))
  }
  assertExact(t, await measurement.stop(), 100)
})

kernelTest('connections that say nothing are no requests', async t => {
  const service = await startService(t)
  const early = await openConnections(t, service, 10)
  const measurement = await startMeasuring(t, '--port', service.port)
  const late = await openConnections(t, service, 10)
  await runLoad(t, { port: service.port, connections: 4, requests: 1000 })
  for (const socket of [...early.slice(0, 5), ...late.slice(0, 5)]) socket.destroy()
  for (const socket of [early[5], late[5]]) socket?.resetAndDestroy()
  assertExact(t, await measurement.stop(), 1000)
})

kernelTest('counts who did not wait for the answer', async t => {
  const service = await startService(t)
  const measurement = await startMeasuring(t, '--port', service.port)
  const accepted = await openConnections(t, service, 14)
  await Promise.all(accepted.map(sendRequest))
  await Promise.all(accepted.map(readAnswer))
  await pauseProcess(service)
  await Promise.all(accepted.map(sendRequest))
  const [reset, closed, patient] = [accepted.slice(0, 3), accepted.slice(3, 10), accepted.slice(10)]
  // A reset takes the connection away before its request was read. Who only closes is answered all the same.
  for (const socket of reset) socket.resetAndDestroy()
  for (const socket of closed) socket.destroy()
  service.child.kill('SIGCONT')
  await Promise.all(patient.map(readAnswer))
  await waitFor('the closed connections to be served', async () => {
    return (await countReadConnections(service)) === patient.length ? true : null
  })
  const { requests, unanswered, in_flight, lost } = await measurement.stop()
  t.deepEqual(
    { requests, unanswered, in_flight, lost },
    { requests: 14 + 7 + 4, unanswered: 3, in_flight: 0, lost: NOTHING_LOST },
  )
})

kernelTest('requests that wait still are in flight', async t => {
  const service = await startService(t)
  const measurement = await startMeasuring(t, '--port', service.port)
  await runLoad(t, { port: service.port, connections: 4, requests: 1000 })
  const sockets = await openConnections(t, service, 6)
  await pauseProcess(service)
  await Promise.all(sockets.map(sendRequest))
  const { requests, unanswered, in_flight, lost } = await measurement.stop()
  service.child.kill('SIGCONT')
  t.deepEqual(
    { requests, unanswered, in_flight, lost },
    { requests: 1000, unanswered: 0, in_flight: 6, lost: NOTHING_LOST },
  )
})

kernelTest('measures on when the service dies and another takes its port', async t => {
  const first = await startService(t)
  const { port } = first
  const measurement = await startMeasuring(t, '--port', port)
  await runLoad(t, { port, connections: 4, requests: 3000 })

  // Killed with requests that it has not read, on connections that it has accepted and on others.
  const accepted = await openConnections(t, first, 5)
  await Promise.all(accepted.map(sendRequest))
  await Promise.all(accepted.map(readAnswer))
  await pauseProcess(first)
  const fresh = await openConnections(t, first, 3)
  await Promise.all([...accepted, ...fresh].map(sendRequest))
  first.child.kill('SIGKILL')
  await first.ended
  await Promise.all([...accepted, ...fresh].map(waitUntilClosed))

  // Killed with requests that it has read and works on.
  const hour = 3600 * 1_000_000
  const second = await startService(
    t,
    ...['--port', port, '--model', 'thread-per-connection', '--place', 'app_wait', '--delay-us', hour],
  )
  const begun = await openConnections(t, second, 4)
  await Promise.all(begun.map(sendRequest))
  await waitFor('the requests to be read', async () =>
    (await countReadConnections(second)) === begun.length ? true : null,
  )
  second.child.kill('SIGKILL')
  await second.ended
  await Promise.all(begun.map(waitUntilClosed))

  await startService(t, '--port', port)
  await runLoad(t, { port, connections: 4, requests: 2000 })
  const { requests, unanswered, in_flight, lost } = await measurement.stop()
  t.deepEqual(
    { requests, unanswered, in_flight, lost },
    { requests: 3000 + 5 + 2000, unanswered: 5 + 3 + 4, in_flight: 0, lost: NOTHING_LOST },
  )
})
