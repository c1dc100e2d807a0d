import { join } from 'node:path'
import { compileProbes, rootPath } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type Ending, startProcess } from './support/processes.js'
import { startService } from './support/services.js'
import { TAUT } from './support/taut.js'

const TRAFFIC = rootPath('dist/bpf/traffic.bpf.o')
const REFUSED = rootPath('src/libbpf-ts/test/bpf/refused.bpf.c')
const HIDE = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'

/** Runs taut where the verifier refuses a program of those that count traffic. */
const runRefused = async (t: Context, ...args: string[]): Promise<Ending> => {
  const object = join(await createFolder(t), 'refused.bpf.o')
  await compileProbes(REFUSED, object)
  const hidden = ['--mount', 'sh', '-c', HIDE, 'sh', object, TRAFFIC, process.execPath, TAUT, ...args]
  const { ended } = await startProcess(t, 'unshare', hidden)
  return ended
}

kernelTest(
  'a program that the verifier refuses: exit 3, and the end of what it says',
  async t => {
    // With one service there is none to choose, and so no traffic to count.
    for (let service = 0; service < 2; service++) await startService(t)
    const { code, stdout, stderr } = await runRefused(t, 'measure', '--for', '100ms')
    t.is(code, 3, stderr)
    t.is(stdout, '')
    t.regex(stderr, /^taut: this kernel refuses the probes: load refused.*, program unchecked: .*EACCES/)
    t.regex(stderr, /^ {2}R0 invalid mem access 'map_value_or_null'$/m)
    t.notRegex(stderr, /sudo/)
  },
  'unshare',
)

kernelTest(
  'doctor loads the probes themselves, and tells of one that the verifier refuses',
  async t => {
    const { code, stdout, stderr } = await runRefused(t, 'doctor')
    // Services can be measured all the same, when they are named.
    t.is(code, 0, stderr)
    t.regex(stdout, /^yes {2}load tcp /m)
    t.regex(stdout, /^NO {3}load traffic /m)
    t.true(stdout.replaceAll(/\s+/g, ' ').includes("R0 invalid mem access 'map_value_or_null'"), stdout)
  },
  'unshare',
)
