import { assertAddsUp, assertStagesOfEach } from './support/assertions.js'
import { kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { readStat, startMemcached } from './support/services.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

const ROUNDS = 5
const CONNECTIONS = 64
const ENOUGH = 2000

kernelTest(
  'measuring begins and ends in the midst of traffic, and splits no request wrongly',
  async t => {
    const service = await startMemcached(t)
    // Sends until the test is over.
    void runLoad(t, { port: service.port, connections: CONNECTIONS, requests: 100_000_000 }).catch(
      () => undefined,
    )
    for (let round = 0; round < ROUNDS; round++) {
      const measurement = await startMeasuring(t, '--port', service.port)
      const before = await readStat(service, 'cmd_get')
      await waitFor('requests', async () =>
        (await readStat(service, 'cmd_get')) - before >= ENOUGH ? true : null,
      )
      const document = await measurement.stop()
      const { requests, depth, lost } = document
      t.true(depth.requests >= ENOUGH)
      // Those that were in progress, at either end: hardly one more for each connection came before all probes had.
      t.log(`${requests - depth.requests} of ${requests} requests by their total alone`)
      t.deepEqual(lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })
      assertStagesOfEach(t, document)
      assertAddsUp(t, document)
    }
  },
  'memcached',
)
