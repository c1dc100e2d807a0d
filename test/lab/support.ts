import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { buildFixtures, KVLOAD, rootPath } from '../kernel/support/fixtures.js'
import { createFolder } from '../kernel/support/folder.js'
import { listArguments } from '../kernel/support/load.js'
import { createNetns } from '../kernel/support/netns.js'
import { startProcess } from '../kernel/support/processes.js'
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

/**
 * Registers a test that boots a machine; where it cannot run, for the reason that is given or another, it is skipped with that in
 * its title.
 */
export const labTest = (
  title: string,
  body: (t: ExecutionContext) => Promise<void>,
  missing: string | null = null,
): void => {
  const reason = obstacle ?? missing
  if (reason === null) test.serial(title, body)
  else test.skip(`${title} (${reason})`, body)
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
/** What they are part of. */
export const NETWORK = '192.0.2.0/24'
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

/** Gives the file of the ACPI table by which a machine has frequencies. */
export const compileFrequencies = async (t: ExecutionContext): Promise<string> => {
  const folder = await createFolder(t)
  await run('iasl', ['-p', join(folder, 'cpufreq'), rootPath('test/lab/cpufreq.asl')])
  return join(folder, 'cpufreq.aml')
}

/** Longer than a machine may run. */
const SECONDS = 30 * 60

/** Looks at a machine's output: once that says what port it serves, clients send so many requests a second there, until the test ends. */
export const askWhatServes = (
  t: ExecutionContext,
  { netns }: Card,
  rate: number,
): ((output: string) => void) => {
  let isAsked = false
  return output => {
    const port = /^serves (\d+)\n/m.exec(output)?.[1]
    if (port === undefined || isAsked) return
    isAsked = true
    const load = { host: ADDRESS, port: Number(port), connections: 4, rate }
    const args = listArguments({ ...load, requests: rate * SECONDS, timeout: 2 * SECONDS })
    void startProcess(t, KVLOAD, args, { netns })
  }
}
