import test from 'ava'
import { assertExact } from '../kernel/support/assertions.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { connectFirst } from '../kernel/support/load.js'
import { createNetns } from '../kernel/support/netns.js'
import { startMeasuring } from '../kernel/support/taut.js'
import { startNginx } from './support/nginx.js'
import { buildPrograms } from './support/programs.js'
import { createStateCounter, waitForState } from './support/state.js'

/** Of the service and of the clients: not everywhere may root let a process open 20,000 files and more. */
const PROCESSES = 4
const SOCKETS = 20_000
/** The load client gives each connection its turn: in the second and third round all sockets have a state. */
const REQUESTS = 3 * SOCKETS
const RATE = 10_000

test.before('builds the programs', buildPrograms)

kernelTest(
  `counts each request on ${SOCKETS} sockets, and keeps nothing of them when they have closed`,
  async t => {
    const netns = await createNetns(t)
    // Connections are shared out by a hash: no process gets twice its share.
    const service = await startNginx(t, netns, PROCESSES, (2 * SOCKETS) / PROCESSES)
    const askedBefore = await service.countRequests()
    const { port } = service
    const load = { port, connections: SOCKETS / PROCESSES, requests: REQUESTS / PROCESSES } as const
    const senders = await Promise.all(
      Array.from({ length: PROCESSES }, () =>
        connectFirst(t, { ...load, protocol: 'http', rate: RATE / PROCESSES }, netns),
      ),
    )
    const measurement = await startMeasuring(t, '--netns', netns, '--port', port)
    const countState = await createStateCounter(t, measurement.pid, netns)
    t.is(await countState(), 0)

    await Promise.all([waitForState(countState, SOCKETS), ...senders.map(send => send())])
    await waitForState(countState, 0)

    assertExact(t, await measurement.stop(), REQUESTS)
    t.is((await service.countRequests()) - askedBefore, REQUESTS + 1)
  },
  'nginx',
  'ip',
)
