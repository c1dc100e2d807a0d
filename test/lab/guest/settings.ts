import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Context } from '../../kernel/support/kernel-test.js'
import { startProcess } from '../../kernel/support/processes.js'
import { takeSettings } from '../../kernel/support/settings.js'
import { runTaut } from '../../kernel/support/taut.js'
import { waitFor } from '../../kernel/support/wait.js'

const run = promisify(execFile)
/** The machine's card, where it is to be reached, and who is at the other end of its wire. */
export const NIC = 'eth0'
export const ADDRESS = process.env.TAUT_LAB_ADDRESS ?? ''
const PEER = process.env.TAUT_LAB_PEER ?? ''
/** The name that the machine's own network namespace gets. */
export const NETNS = 'taut-lab'

/** A change of a setting, as taut tells of it. */
export type Change = {
  knob: string
  where: string
  from: string
  to: string
  now: string
  state: string
  note: string
}

/** Gives the machine's own network namespace a name, and the card its address, once. */
export const prepareCard = async (): Promise<void> => {
  await run('ip', ['netns', 'attach', NETNS, String(process.pid)])
  await run('ip', ['addr', 'add', `${ADDRESS}/24`, 'dev', NIC])
  await run('ip', ['link', 'set', NIC, 'up'])
  await waitFor('the card', async () =>
    (await read(`/sys/class/net/${NIC}/operstate`)) === 'up' ? true : null,
  )
}

/** Gives a file's text without spaces around. */
export const read = async (path: string): Promise<string> => (await readFile(path, 'latin1')).trim()

/** Runs taut, which has to succeed, and gives the changes that it tells of. */
export const taut = async (t: Context, ...args: string[]): Promise<Change[]> => {
  const { code, stdout, stderr } = await runTaut(t, [...args, '--json'])
  t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
  return JSON.parse(stdout)
}

/** All settings of the machine, with the CPUs of the threads of some processes. */
export const takeAll = (pids: readonly number[] = []): Promise<string> => takeSettings(NETNS, pids)

/** The knobs that are for a network device. */
const OF_THE_CARD = /^(?:irq|nic|net\.(?:rps|rfs|xps|napi|gro|threaded))/

/** Applies something, looks at it with `check`, and puts it back: all is as it was. */
export const tryOut = async (
  t: Context,
  what: readonly string[],
  check: (changes: Change[]) => Promise<void>,
  pids: readonly number[] = [],
): Promise<void> => {
  const before = await takeAll(pids)
  const nic = what.some(text => OF_THE_CARD.test(text)) ? ['--nic', NIC] : []
  const changes = await taut(t, 'apply', ...what, ...nic, '--yes')
  t.log(changes.map(({ where, to, state, note }) => `${where} ${to}: ${state}, ${note}`).join('\n'))
  await check(changes)
  await taut(t, 'revert')
  t.is(await takeAll(pids), before)
}

/**
 * Packets that come in, for as long as the test runs: a port on which nobody listens answers each try, which one CPU makes, fifty times
 * a second.
 */
export const startTraffic = async (t: Context, cpu: number): Promise<void> => {
  // Nothing comes by the standard input.
  const knock = `while :; do : <>/dev/tcp/${PEER}/9; read -rt 0.02; done 2>/dev/null`
  await startProcess(t, 'bash', ['-c', knock], { cpu })
}
