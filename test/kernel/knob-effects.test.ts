import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { KVLOAD } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { kernelTest } from './support/kernel-test.js'
import { startProcess } from './support/processes.js'
import { listCpus } from './support/scheduler.js'
import { startServiceAt } from './support/services.js'
import { runTaut, TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)
const [clientCpu = 0, serviceCpu = 0] = listCpus()
const COUNT = '/sys/class/net/lo/queues/rx-0/rps_flow_cnt'
const TABLE = '/proc/sys/net/core/rps_sock_flow_entries'

if (serviceCpu !== clientCpu) {
  // The table of flows is the machine's, and no namespace's: so the device is the machine's as well.
  kernelTest('net.rfs alone: seen by the CPU where the service reads, which takes packets over', async t => {
    const readBoth = () => Promise.all([TABLE, COUNT].map(path => readFile(path, 'utf8')))
    const before = await readBoth()
    const service = await startServiceAt(t, { host: '127.0.0.1', cpu: serviceCpu })
    const countPackets = async (): Promise<number> =>
      Number(await readFile('/sys/class/net/lo/statistics/rx_packets', 'utf8'))
    const idle = await countPackets()
    const load = ['--port', service.port, '--connections', 4, '--rate', 1000, '--seconds', 60]
    const client = await startProcess(t, KVLOAD, load, { cpu: clientCpu })
    await waitFor('traffic', async () => (await countPackets()) > idle + 200 || null)
    const env = { TAUT_STATE: join(await createFolder(t), 'state') }
    const taut = async (...args: string[]) => {
      const { code, stdout, stderr } = await runTaut(t, [...args, '--json'], { env })
      t.is(code, 0, stderr)
      return JSON.parse(stdout)
    }
    const revert = () => run(process.execPath, [TAUT, 'revert', '--all'], { env: { ...process.env, ...env } })
    t.teardown(() => revert().catch(() => t.log('taut revert failed in the end')))
    const changes = await taut('apply', '--set', 'net.rfs=4096', '--nic', 'lo', '--yes')
    const { state, note } = changes.find(({ where }: { where: string }) => where === COUNT)
    t.is(state, 'verified', note)
    t.regex(note, /^CPU \S+ takes packets over$/)
    t.true(note.includes(String(serviceCpu)), note)
    await taut('revert')
    t.deepEqual(await readBoth(), before)
    client.child.kill()
  })
} else test.skip('net.rfs alone (needs two CPUs)', t => t.fail())
