import test from 'ava'
import { assertExact } from '../kernel/support/assertions.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { listHeldMaps } from '../kernel/support/maps.js'
import { createNetns } from '../kernel/support/netns.js'
import { readStat, startMemcached } from '../kernel/support/services.js'
import { startMeasuring } from '../kernel/support/taut.js'
import { waitFor } from '../kernel/support/wait.js'
import { buildPrograms } from './support/programs.js'
import { createStateCounter, waitForState } from './support/state.js'

const RATE = 1000
const SECONDS = 60

test.before('builds the programs', buildPrograms)

kernelTest(
  `keeps nothing of ${RATE * SECONDS} connections that come and go, ${RATE} a second`,
  async t => {
    // Of its own, for the ports that the client leaves behind in TIME_WAIT.
    const netns = await createNetns(t)
    const service = await startMemcached(t, [], { netns })
    const getsBefore = await readStat(service, 'cmd_get')
    const measurement = await startMeasuring(t, '--netns', netns, '--port', service.port)
    const countState = await createStateCounter(t, measurement.pid, netns)
    const mapsBefore = await listHeldMaps(measurement.pid)
    t.is(await countState(), 0)

    const requests = RATE * SECONDS
    await Promise.all([
      runLoad(t, { port: service.port, connections: 8, rate: RATE, requests, reconnect: true }, netns),
      // What finds nothing afterwards finds something meanwhile.
      waitFor('state of a connection', async () => ((await countState()) > 0 ? true : null)),
    ])
    await waitForState(countState, 0)
    t.deepEqual(await listHeldMaps(measurement.pid), mapsBefore)

    assertExact(t, await measurement.stop(), requests)
    t.is((await readStat(service, 'cmd_get')) - getsBefore, requests)
  },
  'memcached',
  'ip',
)
