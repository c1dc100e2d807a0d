import { kernelTest } from './support/kernel-test.js'
import { listBpf } from './support/leftovers.js'
import { startProcess, waitForOutput } from './support/processes.js'
import { startService } from './support/services.js'
import { startMeasuring, TAUT } from './support/taut.js'

kernelTest(
  "another tool's programs, maps and links are not taken for leftovers, the tests' own are",
  async t => {
    const before = new Set(listBpf())
    const listNew = () => listBpf().filter(item => !before.has(item))
    const service = await startService(t)
    // In another working directory, as whatever the tests did not start.
    const args = [process.execPath, TAUT, 'live', '--json', '--port', service.port]
    const foreign = await startProcess(t, 'env', ['--chdir=/', ...args])
    await waitForOutput(foreign, /\n/)
    t.deepEqual(listNew(), [])

    const own = await startMeasuring(t, '--port', service.port)
    for (const kind of ['program', 'map', 'link']) {
      t.true(
        listNew().some(item => item.startsWith(`${kind} `)),
        kind,
      )
    }
    await own.stop()
  },
)
