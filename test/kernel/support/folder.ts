import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context } from './kernel-test.js'

/** Makes a folder that is removed after the test; services that gave up root can write into it. */
export const createFolder = async (t: Context): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'taut-test-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o777)
  return folder
}
