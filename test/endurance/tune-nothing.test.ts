import { KVLOAD, rootPath } from '../kernel/support/fixtures.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { listArguments } from '../kernel/support/load.js'
import { startProcess } from '../kernel/support/processes.js'
import { startMemcached } from '../kernel/support/services.js'

const TUNE_NOTHING = rootPath('dist/test/endurance/programs/tune-nothing.js')
const RUNS = 20

kernelTest(
  `of ${RUNS} runs of tuning with settings that do nothing, on live traffic, none keeps any`,
  async t => {
    t.timeout(20 * 60_000)
    const service = await startMemcached(t)
    const load = { port: service.port, connections: 16, rate: 8000, requests: 8000 * 900, timeout: 1000 }
    await startProcess(t, KVLOAD, listArguments(load))
    const tuning = await startProcess(t, process.execPath, [TUNE_NOTHING, service.port, RUNS])
    const { code, stdout, stderr } = await tuning.ended
    t.is(code, 0, stderr)
    const results: { kept: string[]; pairs: number[] }[] = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    t.is(results.length, RUNS)
    t.log(`pairs: ${results.map(({ pairs }) => pairs.join('+')).join(' ')}`)
    t.true(
      results.every(({ pairs }) => pairs.some(count => count > 0)),
      'there was something to judge',
    )
    t.deepEqual(
      results.flatMap(({ kept }) => kept),
      [],
    )
  },
  'memcached',
)
