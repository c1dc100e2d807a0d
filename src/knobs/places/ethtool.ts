import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as v from 'valibot'

const run = promisify(execFile)

/** A network device's name: what the kernel takes (dev_valid_name), and no option of ethtool's. */
export const nicName = v.pipe(v.string(), v.regex(/^(?![-.])[^/\s:]{1,15}$/))

/** What ethtool says where there is no such device, or its driver has no such thing. */
const ABSENT = /No such device|not supported|Invalid argument/i

/**
 * Gives what ethtool prints; null where the device or its driver has no such thing. Throws where there is no ethtool, or
 * it could not tell.
 */
export const readEthtool = async (...args: string[]): Promise<string | null> => {
  try {
    return await runEthtool(args)
  } catch (error) {
    if (isMissing(error)) throw new Error('ethtool is not installed (try: apt-get install ethtool)')
    const reason = explain(error)
    if (ABSENT.test(reason)) return null
    throw new Error(`ethtool ${args.join(' ')}: ${reason}`)
  }
}

/** Throws with ethtool's own words when it fails. */
export const writeEthtool = async (...args: string[]): Promise<void> => {
  try {
    await runEthtool(args)
  } catch (error) {
    throw new Error(explain(error))
  }
}

/** In words that are the same in every language of the user's. */
const runEthtool = async (args: string[]): Promise<string> =>
  (await run('ethtool', args, { env: { ...process.env, LC_ALL: 'C' } })).stdout

const explain = (error: unknown): string => {
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
  if (stderr !== '') return stderr.replaceAll('\n', ', ')
  return error instanceof Error ? error.message : String(error)
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
