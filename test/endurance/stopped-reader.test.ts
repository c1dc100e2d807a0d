import { assertExact } from '../kernel/support/assertions.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { pauseProcess } from '../kernel/support/processes.js'
import { startMemcached } from '../kernel/support/services.js'
import { startMeasuring } from '../kernel/support/taut.js'

const REQUESTS = 500_000

kernelTest(
  'loses nothing while taut itself is stopped, and reads nothing',
  async t => {
    const { port } = await startMemcached(t)
    const measurement = await startMeasuring(t, '--port', port)
    const load = { port, connections: 8, requests: REQUESTS }
    await runLoad(t, load)
    await pauseProcess(measurement)
    await runLoad(t, load)
    measurement.child.kill('SIGCONT')
    await runLoad(t, load)
    assertExact(t, await measurement.stop(), 3 * REQUESTS)
  },
  'memcached',
)
