import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { takeSettings } from '../kernel/support/settings.js'

const run = promisify(execFile)

const THREAD = /^\/proc\/\d+\/task\/(\d+)\/status:Cpus_allowed_list:\s+(\S+)$/
const FILE = /^(\/(?:sys|proc\/sys|proc\/irq)\/[^:]+):(.*)$/

/**
 * Puts back every setting that taut can touch, as takeSettings gave them for the same namespace and processes. Throws an Error
 * when one can't be put back, or does not read as it did.
 */
export const restoreSettings = async (
  netns: string,
  pids: readonly number[],
  wanted: string,
): Promise<void> => {
  const now = new Set((await takeSettings(netns, pids)).split('\n'))
  for (const line of wanted.split('\n').filter(each => !now.has(each))) await putBack(netns, line)
  const other = describeDifference(wanted, await takeSettings(netns, pids))
  if (other !== '') throw new Error(`not put back: ${other}`)
}

const putBack = async (netns: string, line: string): Promise<void> => {
  const [, thread, cpus] = THREAD.exec(line) ?? []
  if (thread !== undefined && cpus !== undefined) return void (await run('taskset', ['-pc', cpus, thread]))
  const [, path, shown = ''] = FILE.exec(line) ?? []
  if (path === undefined) throw new Error(`it is not known how to put back: ${line}`)
  // Of a choice, the kernel shows what else there is, too.
  const value = /\[(\S+)\]/.exec(shown)?.[1] ?? shown
  await run('ip', ['netns', 'exec', netns, 'sh', '-c', 'printf %s "$1" >"$2"', 'sh', value, path])
}

/** Gives the lines of the first settings that the others do not have; none where they are the same. */
export const describeDifference = (settings: string, others: string): string => {
  const there = new Set(others.split('\n'))
  return settings
    .split('\n')
    .filter(line => !there.has(line))
    .join('; ')
}
