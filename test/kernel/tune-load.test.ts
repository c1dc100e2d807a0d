import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KVLOAD } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listArguments } from './support/load.js'
import { type Ending, listGroup, type Running, startProcess } from './support/processes.js'
import { startMemcached } from './support/services.js'
import { TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'

/** A service that has traffic, unless told otherwise, and taut that tunes it with a load of its own. */
const createWorld = async (t: Context, { hasTraffic = true } = {}) => {
  t.timeout(3 * 60_000)
  const { port } = await startMemcached(t)
  const env = { TAUT_STATE: join(await createFolder(t), 'state') }
  const traffic = { port, connections: 4, rate: 2000, requests: 1e9, timeout: 300 }
  if (hasTraffic) await startProcess(t, KVLOAD, listArguments(traffic))
  const start = (load: string, ...args: string[]): Promise<Running> =>
    startProcess(t, process.execPath, [TAUT, 'tune', '--port', String(port), '--load', load, ...args], {
      env,
    })
  const tune = async (load: string, ...args: string[]): Promise<Ending> =>
    (await start(load, '--for', '10s', ...args)).ended
  return { port, start, tune }
}

kernelTest(
  'a load that fails before anything is tried is a mistake, and how it ended is told',
  async t => {
    const { tune } = await createWorld(t)
    const failures = [
      [
        'no-such-command-of-taut',
        /with exit code 127, which is what sh says of a command that it does not find/,
      ],
      ['sleep 0.1; exit 3', /with exit code 3/],
      ['kill -KILL $$', /by SIGKILL/],
    ] as const
    for (const [load, how] of failures) {
      const { code, stdout, stderr } = await tune(load)
      t.is(code, 1, stderr)
      t.is(stdout, '')
      t.regex(stderr, new RegExp(`taut: the load ended ${how.source}; nothing was changed`))
    }
  },
  'memcached',
)

kernelTest(
  'a load that ends early in peace is told, and tuning goes on with what traffic there is',
  async t => {
    const { tune } = await createWorld(t)
    const { code, stdout, stderr } = await tune('sleep 0.5', '--dry-run', '--json')
    t.is(code, 0, stderr)
    t.regex(stderr, /taut: the load ended with exit code 0; what goes on has the traffic that is left\n/)
    t.is(JSON.parse(stdout).schema, 1)
  },
  'memcached',
)

kernelTest(
  "the load makes the traffic, and what it prints is not taut's output, however much",
  async t => {
    const { port, tune } = await createWorld(t, { hasTraffic: false })
    const traffic = listArguments({ port, connections: 4, rate: 2000, requests: 1e9, timeout: 300 }).join(' ')
    const { code, stdout, stderr } = await tune(
      `head -c 50000000 /dev/zero & ${KVLOAD} ${traffic}`,
      '--dry-run',
      '--json',
    )
    t.is(code, 0, stderr)
    t.is(JSON.parse(stdout).schema, 1)
    t.notRegex(stderr, /the load/)
  },
  'memcached',
)

kernelTest(
  'an interrupted tune leaves nothing of its load, nor of what that has started, nor zombies',
  async t => {
    const { start } = await createWorld(t)
    const pidFile = join(await createFolder(t), 'pid')
    const tuning = await start(`echo $$ >${pidFile}; sh -c 'sleep 3600; true' & sleep 3600; true`)
    const group = await waitFor('the load', async () => {
      const text = await readFile(pidFile, 'utf8').catch(() => '')
      return Number(text) > 0 ? Number(text) : null
    })
    t.true((await listGroup(group)).length >= 4)
    tuning.child.kill('SIGINT')
    t.is((await tuning.ended).code, 130)
    await waitFor('the load to end', async () => ((await listGroup(group)).length === 0 ? true : null))
  },
  'memcached',
)
