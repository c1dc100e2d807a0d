import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { buildFixtures, rootPath } from '../kernel/support/fixtures.js'
import { createNetns } from '../kernel/support/netns.js'
import { findKernel } from './initramfs.js'
import { type Card, type Outcome, runInVm } from './vm.js'

const run = promisify(execFile)

const FOLDER = join(process.env.TAUT_LAB ?? join(homedir(), '.cache/taut-lab'), 'debian-kernel')
/** Debian's kernel, null where `install.sh --for-lab` has not fetched it. */
export const kernel = findKernel(FOLDER)
const obstacle =
  process.getuid?.() !== 0 ? 'needs root' : kernel === null ? 'needs ./install.sh --for-lab' : null

// The load client and the services: the machine has the host's.
if (obstacle === null) test.before('builds the fixtures', buildFixtures)

/** Registers a test that boots a machine; where it cannot run it is skipped, with the reason in its title. */
export const labTest = (title: string, body: (t: ExecutionContext) => Promise<void>): void => {
  if (obstacle === null) test.serial(title, body)
  else test.skip(`${title} (${obstacle})`, body)
}

/** What a machine has besides, and who is told of its output. */
type Options = NonNullable<Parameters<typeof runInVm>[2]>

/** Boots a machine that runs a script of bash. */
export const boot = (t: ExecutionContext, script: string, options: Options = {}): Promise<Outcome> => {
  if (kernel === null) throw new Error('no kernel')
  t.timeout(30 * 60_000)
  return runInVm(kernel, script, options)
}

/** Boots a machine that runs a program of test/lab/guest, whose tests have to pass and none be skipped. */
export const runGuest = async (
  t: ExecutionContext,
  name: string,
  { environment, ...options }: Options & { environment: Record<string, string | number> },
): Promise<void> => {
  const settings = Object.entries(environment).map(([variable, value]) => `${variable}='${value}'`)
  const { status, output } = await boot(
    t,
    `cd '${rootPath('.')}'
    export ${settings.join(' ')}
    ${process.execPath} node_modules/ava/entrypoints/cli.mjs --config guest.ava.config.js --no-color dist/test/lab/guest/${name}.js`,
    options,
  )
  t.is(status, 0, output)
  t.notRegex(output, /skipped/)
  t.log(output)
}

/** The address that the machine is to give its card. */
export const ADDRESS = '192.0.2.1'
/** The client's. */
export const CLIENT_ADDRESS = '192.0.2.2'
/** Both, for programs of the machine. */
export const ENDS = { TAUT_LAB_ADDRESS: ADDRESS, TAUT_LAB_PEER: CLIENT_ADDRESS }

/** Makes a card of the machine on a tap device in a new namespace, where the client is. */
export const createCard = async (t: ExecutionContext, model: Card['model'], queues = 1): Promise<Card> => {
  const netns = await createNetns(t)
  const tap = 'tap0'
  const isWide = queues > 1 ? ['multi_queue'] : []
  await run('ip', ['-n', netns, 'tuntap', 'add', tap, 'mode', 'tap', ...isWide])
  await run('ip', ['-n', netns, 'addr', 'add', `${CLIENT_ADDRESS}/24`, 'dev', tap])
  await run('ip', ['-n', netns, 'link', 'set', tap, 'up'])
  return { model, netns, tap, queues }
}
