import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import * as v from 'valibot'

const run = promisify(execFile)

/** A network device's name: what the kernel takes (dev_valid_name), and no option of ethtool's. */
export const nicName = v.pipe(v.string(), v.regex(/^(?![-.])[^/\s:]{1,15}$/))

/**
 * Gives what ethtool prints; null where the device or its driver has no such thing. Throws where there is no ethtool.
 */
export const readEthtool = async (...args: string[]): Promise<string | null> => {
  try {
    return (await run('ethtool', args)).stdout
  } catch (error) {
    if (isMissing(error)) throw new Error('ethtool is not installed (try: apt-get install ethtool)')
    return null
  }
}

/** Throws with ethtool's own words when it fails. */
export const writeEthtool = async (...args: string[]): Promise<void> => {
  try {
    await run('ethtool', args)
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new Error(stderr === '' ? String(error) : stderr.replaceAll('\n', ', '))
  }
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ENOENT'
