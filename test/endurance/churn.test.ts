import { readdir } from 'node:fs/promises'
import test from 'ava'
import { assertExact } from '../kernel/support/assertions.js'
import { type Context, kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { createEntryCounter, listHeldMaps } from '../kernel/support/maps.js'
import { createNetns } from '../kernel/support/netns.js'
import { readStat, type Service, startMemcached } from '../kernel/support/services.js'
import { startMeasuring } from '../kernel/support/taut.js'
import { waitFor } from '../kernel/support/wait.js'
import { startWithoutBtf } from '../kernel/support/without-btf.js'
import { buildPrograms } from './support/programs.js'
import { createStateCounter, waitForState } from './support/state.js'

const RATE = 1000
const SECONDS = 60

const REQUESTS = RATE * SECONDS

test.before('builds the programs', buildPrograms)

/** memcached in a network namespace of its own, for the ports that the client leaves behind in TIME_WAIT. */
const startService = async (t: Context): Promise<Service & { netns: string }> => {
  const netns = await createNetns(t)
  return { ...(await startMemcached(t, [], { netns })), netns }
}

/** Opens and closes the connections; `countState` has to find something meanwhile, or that it finds nothing later says nothing. */
const churn = async (
  t: Context,
  { port, netns }: { port: number; netns: string },
  countState: () => Promise<number>,
): Promise<void> => {
  await Promise.all([
    runLoad(t, { port, connections: 8, rate: RATE, requests: REQUESTS, reconnect: true }, netns),
    waitFor('state of a connection', async () => ((await countState()) > 0 ? true : null)),
  ])
}

kernelTest(
  `keeps nothing of ${REQUESTS} connections that come and go, ${RATE} a second`,
  async t => {
    const service = await startService(t)
    const getsBefore = await readStat(service, 'cmd_get')
    const measurement = await startMeasuring(t, '--netns', service.netns, '--port', service.port)
    const countState = await createStateCounter(t, measurement.pid, service.netns)
    const mapsBefore = await listHeldMaps(measurement.pid)
    t.is(await countState(), 0)

    await churn(t, service, countState)
    await waitForState(countState, 0)
    t.deepEqual(await listHeldMaps(measurement.pid), mapsBefore)

    assertExact(t, await measurement.stop(), REQUESTS)
    t.is((await readStat(service, 'cmd_get')) - getsBefore, REQUESTS)
  },
  'memcached',
  'ip',
)

kernelTest(
  `without BTF in the kernel, no hash has an entry of ${REQUESTS} connections that came and went, ${RATE} a second`,
  async t => {
    const service = await startService(t)
    const getsBefore = await readStat(service, 'cmd_get')
    const measurement = await startWithoutBtf(t, '--netns', service.netns, '--port', service.port)
    const countEntries = await createEntryCounter(t, measurement.pid)
    const countState = async (): Promise<number> => (await countEntries()).connections
    const mapsBefore = await listHeldMaps(measurement.pid)
    t.is(await countState(), 0)

    await churn(t, service, countState)
    await waitForState(countState, 0)
    // The service's own threads go on; beside them there is none.
    t.true((await countEntries()).threads <= (await readdir(`/proc/${service.pid}/task`)).length)
    t.deepEqual(await listHeldMaps(measurement.pid), mapsBefore)

    assertExact(t, await measurement.stop(), REQUESTS)
    t.is((await readStat(service, 'cmd_get')) - getsBefore, REQUESTS)
  },
  'memcached',
  'ip',
  'unshare',
)
