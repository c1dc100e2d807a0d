import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { KVLOAD } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { kernelTest } from './support/kernel-test.js'
import { listArguments } from './support/load.js'
import { createNetnsPair } from './support/netns.js'
import { startProcess } from './support/processes.js'
import { startMemcached } from './support/services.js'
import { runTaut, TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)
const QUEUES = 64
/** What is promised of an interrupted run. */
const PROMISED_MS = 1000

kernelTest(
  `an interrupted tune gives the settings of ${QUEUES} queues back in under a second`,
  async t => {
    t.timeout(3 * 60_000)
    const { server, client, ipv4 } = await createNetnsPair(t, QUEUES)
    const { port } = await startMemcached(t, [], { host: ipv4, netns: server })
    const load = { host: ipv4, port, connections: 8, rate: 3000, requests: 1e9, timeout: 300 }
    await startProcess(t, KVLOAD, listArguments(load), { netns: client })
    const env = { TAUT_STATE: join(await createFolder(t), 'state') }
    const readMasks = async (): Promise<string[]> => {
      const { stdout } = await run('ip', [
        ...['netns', 'exec', server, 'sh', '-c'],
        'cat /sys/class/net/wire/queues/rx-*/rps_cpus',
      ])
      return stdout.trim().split('\n')
    }
    const countSet = async (): Promise<number> =>
      (await readMasks()).filter(mask => !/^[0,]+$/.test(mask)).length
    const goal = ['--goal', 'throughput', '--only', 'net.rps', '--for', '2m']
    const tuning = await startProcess(t, process.execPath, [TAUT, 'tune', '--port', port, ...goal], {
      netns: server,
      env,
    })
    t.is((await readMasks()).length, QUEUES)
    await waitFor('the first slice with it', async () => ((await countSet()) === QUEUES ? true : null))
    const begin = performance.now()
    tuning.child.kill('SIGINT')
    const { code, stderr } = await tuning.ended
    const ms = performance.now() - begin
    t.is(code, 130, stderr)
    t.is(await countSet(), 0)
    t.log(`${ms.toFixed(0)} ms`)
    t.true(ms < PROMISED_MS, `it took ${ms.toFixed(0)} ms`)
    const status = await runTaut(t, ['status', '--json'], { env })
    t.deepEqual(JSON.parse(status.stdout), [])
  },
  'memcached',
)
