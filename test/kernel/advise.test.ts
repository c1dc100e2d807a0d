import { execFile } from 'node:child_process'
import { cpus } from 'node:os'
import { promisify } from 'node:util'
import { KVLOAD } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listArguments } from './support/load.js'
import { createNetns, createNetnsPair } from './support/netns.js'
import { type Running, startProcess } from './support/processes.js'
import { type Service, startMemcached } from './support/services.js'
import { runTaut } from './support/taut.js'

const run = promisify(execFile)

/** As `taut advise --json` prints it, as far as the tests look. */
type Printed = {
  lost: Record<string, number>
  advice: {
    rule: string
    finding: string
    evidence: string[]
    settings: { knob: string; value: string; nic?: string }[]
    gain: { p99: number; how: string } | null
    commands: string[]
    shell_commands: string[]
  }[]
}

const LOAD = { connections: 16, rate: 3000, requests: 3000 * 600, timeout: 900 }

const startLoad = (t: Context, { port, host, netns }: Service, client = netns): Promise<Running> =>
  startProcess(t, KVLOAD, listArguments({ host, port, ...LOAD }), { netns: client, cpu: 0 })

const startHog = (t: Context, cpu: number): Promise<Running> =>
  startProcess(t, 'sh', ['-c', 'while :; do :; done'], { cpu })

const advise = async (t: Context, { port }: Service, netns?: string, ...args: string[]): Promise<Printed> => {
  const { code, stdout, stderr } = await runTaut(
    t,
    ['advise', '--port', port, '--for', '3s', '--json', ...args],
    { netns },
  )
  t.is(code, 0, stderr)
  t.log(stdout)
  return JSON.parse(stdout)
}

const isSmp = cpus().length > 1

if (isSmp) {
  kernelTest(
    "over a virtual wire: RPS that points at a neighbour's CPU is found, and the neighbour named, with the device in its namespace",
    async t => {
      const { server, client, ipv4: host } = await createNetnsPair(t)
      const service = await startMemcached(t, ['-t', '2'], { host, netns: server })
      const hog = await startHog(t, 1)
      await run('ip', [
        'netns',
        'exec',
        server,
        'sh',
        '-c',
        'echo 2 > /sys/class/net/wire/queues/rx-0/rps_cpus',
      ])
      await startLoad(t, service, client)
      const { advice, lost } = await advise(t, service, server)
      const found = advice.find(({ rule }) => rule === 'steered-to-busy-cpu')
      t.true(found?.finding.startsWith('packets of wire are steered to CPU 1 (RPS)'), JSON.stringify(advice))
      t.true(found?.evidence.some(line => line.startsWith(`sh (${hog.pid}) took`)))
      t.deepEqual(found?.commands, ['taut apply --set net.rps=none --nic wire'])
      t.deepEqual(found?.shell_commands, ['echo 0 > /sys/class/net/wire/queues/rx-0/rps_cpus'])
      t.deepEqual(Object.keys(lost).sort(), ['clock', 'map_full', 'recursion', 'ringbuf_full', 'unmatched'])

      // From outside, neither that device nor any other is its to set.
      const outside = await advise(t, service, undefined, '--netns', server)
      t.deepEqual(
        outside.advice.flatMap(({ settings }) => settings.filter(({ nic }) => nic !== undefined)),
        [],
      )
    },
    'memcached',
    'ip',
    'taskset',
  )
}

kernelTest(
  'over loopback: what is advised for a device is for that one, and not for the card of the machine',
  async t => {
    const netns = await createNetns(t)
    const service = await startMemcached(t, ['-t', '2'], { netns })
    await startLoad(t, service)
    const { advice } = await advise(t, service, netns)
    const devices = advice.flatMap(({ settings }) => settings.flatMap(({ nic }) => nic ?? []))
    t.true(
      devices.every(nic => nic === 'lo'),
      JSON.stringify(advice),
    )
  },
  'memcached',
  'ip',
  'taskset',
)
