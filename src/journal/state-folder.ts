import { closeSync, constants, fstatSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** Where taut remembers what it changed, unless TAUT_STATE says otherwise. */
const DEFAULT = '/var/lib/taut'

/** Gives the path of the folder where taut keeps what has to outlive it. */
export const findStateFolder = (): string => resolve(process.env.TAUT_STATE || DEFAULT)

/** An open folder; `path` leads there whatever becomes of its name, and through no link. */
export type StateFolder = { name: string; path: string; fd: number; [Symbol.dispose]: () => void }

/**
 * Opens the folder, made if it is missing and `create` is set; one that is there is left as it is. Throws where it is a
 * link or none, where another user could write to it, or as the file system does (ENOENT where it is missing).
 */
export const openStateFolder = (name = findStateFolder(), { create = false } = {}): StateFolder => {
  // The guard has another working directory.
  const path = resolve(name)
  if (create) makeFolder(path)
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  try {
    const { uid, mode } = fstatSync(fd)
    if (uid !== process.geteuid?.()) throw new Error(`${path} belongs to another user`)
    if ((mode & 0o022) !== 0)
      throw new Error(
        `others may write to ${path} (try a folder of its own, or, if it is taut's alone: chmod go-w ${path})`,
      )
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return { name: path, path: `/proc/self/fd/${fd}`, fd, [Symbol.dispose]: () => closeSync(fd) }
}

/** A folder is only there for good once the one that it is in is on disk as well. */
const makeFolder = (name: string): void => {
  const made = mkdirSync(name, { recursive: true, mode: 0o700 })
  if (made === undefined) return
  const fd = openSync(dirname(made), constants.O_RDONLY)
  fsyncSync(fd)
  closeSync(fd)
}
