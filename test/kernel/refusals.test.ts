import { join } from 'node:path'
import { compileProbes, rootPath } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { connectFirst } from './support/load.js'
import { type Ending, startProcess } from './support/processes.js'
import { startService } from './support/services.js'
import { TAUT } from './support/taut.js'

/** Objects of taut, and what is compiled in their place. */
const TRAFFIC = [
  rootPath('dist/bpf/traffic.bpf.o'),
  rootPath('test/kernel/fixtures/refused-traffic.bpf.c'),
] as const
const OVERHEADS = [
  rootPath('dist/bpf/overheads.bpf.o'),
  rootPath('test/kernel/fixtures/refused-overheads.bpf.c'),
  rootPath('bpf/overheads_packets.bpf.c'),
] as const
const HIDE = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'

/** Runs taut where one of its objects has a program that the verifier refuses. */
const runRefused = async (
  t: Context,
  [object, ...sources]: readonly [string, ...string[]],
  args: string[],
): Promise<Ending> => {
  const refused = join(await createFolder(t), 'refused.bpf.o')
  await compileProbes(refused, ...sources)
  const hidden = ['--mount', 'sh', '-c', HIDE, 'sh', refused, object, process.execPath, TAUT, ...args]
  const { ended } = await startProcess(t, 'unshare', hidden)
  return ended
}

kernelTest(
  'a program that the verifier refuses: exit 3, and the end of what it says',
  async t => {
    // With one service there is none to choose, and so no traffic to count.
    for (let service = 0; service < 2; service++) await startService(t)
    const { code, stdout, stderr } = await runRefused(t, TRAFFIC, ['measure', '--for', '100ms'])
    t.is(code, 3, stderr)
    t.is(stdout, '')
    t.regex(stderr, /^taut: this kernel refuses the probes: load traffic, program count_read: .*EACCES/)
    t.regex(stderr, /^ {2}R\d invalid mem access 'scalar'$/m)
    t.notRegex(stderr, /sudo/)
  },
  'unshare',
)

kernelTest(
  'doctor loads the probes themselves, and tells of one that the verifier refuses',
  async t => {
    const { code, stdout, stderr } = await runRefused(t, TRAFFIC, ['doctor'])
    // Services can be measured all the same, when they are named.
    t.is(code, 0, stderr)
    t.regex(stdout, /^yes {2}load tcp /m)
    t.regex(stdout, /^NO {3}load traffic /m)
    t.regex(stdout.replaceAll(/\s+/g, ' '), /R\d invalid mem access 'scalar'/)
  },
  'unshare',
)

kernelTest(
  'where the kernel refuses the probes of overheads, the rest is measured, and why is told',
  async t => {
    const service = await startService(t)
    const args = ['measure', '--port', String(service.port), '--for', '100ms', '--json']
    const { code, stdout, stderr } = await runRefused(t, OVERHEADS, args)
    t.is(code, 0, stderr)
    t.regex(stderr, /^taut: there will be no overheads of the socket API: the kernel refuses .*EACCES/)
    t.regex(JSON.parse(stdout).overheads.reason, /^the kernel refuses their probes: .*EACCES/)
  },
  'unshare',
)

/** Runs taut as root without any capabilities but those that the README asks for. */
const runWithFew = async (t: Context, args: (string | number)[]) => {
  const few = ['-all', '+bpf', '+perfmon', '+sys_ptrace', '+dac_read_search'].join(',')
  const drop = [`--bounding-set=${few}`, `--inh-caps=${few}`, process.execPath]
  return (await startProcess(t, 'setpriv', [...drop, TAUT, ...args])).ended
}

kernelTest(
  'the capabilities that the README asks for do: to measure, and to know what the probes take and keep a budget',
  async t => {
    const service = await startService(t)
    const send = await connectFirst(t, { port: service.port, connections: 1, requests: 60_000, rate: 5000 })
    const sending = send()
    const args = ['measure', '--port', service.port, '--budget', '99%', '--for', '2s', '--json']
    const { code, stdout, stderr } = await runWithFew(t, args)
    t.is(code, 0, stderr)
    const { bpf_ns_per_request, machine_percent } = JSON.parse(stdout).cost
    t.true(bpf_ns_per_request > 0, stdout)
    t.true(machine_percent > 0, stdout)
    await sending
  },
  'setpriv',
)

kernelTest(
  'doctor finds the capabilities that the README asks for enough',
  async t => {
    const { code, stdout, stderr } = await runWithFew(t, ['doctor'])
    t.is(code, 0, `${stdout}${stderr}`)
    t.notRegex(stdout, /^NO {3}(permission|bpf|load)/m)
  },
  'setpriv',
)
