import { execFileSync } from 'node:child_process'
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import type { StateFolder } from './state-folder.js'

/** The right to change settings. The kernel takes it back when the last process that has its files open is gone. */
export type Lock = { fds: readonly number[]; [Symbol.dispose]: () => void }

/** Another taut changes settings. */
export class LockedError extends Error {
  override name = 'LockedError'

  constructor(readonly pid: number | null) {
    super(
      `another taut${pid === null ? '' : ` (process ${pid})`} is changing settings (try again when it has ended)`,
    )
  }
}

/** The machine's own: tauts with folders of their own would change the same settings. */
const OF_MACHINE = '/run/taut.lock'
/** The folder's: where `/run` is another one, as in a container, the journal may still be the same. */
const OF_FOLDER = 'lock'

/** What opening says where the disk can't be written, or there is no such folder. */
const UNWRITABLE = ['EROFS', 'ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'ENOENT']

/**
 * Takes the lock, throws a LockedError when another process has it. To undo (`isUndoing`), a folder that can only be read
 * will do: then nobody else can change the journal either.
 */
export const takeLock = (folder: StateFolder, { isUndoing = false } = {}): Lock => {
  const fds: number[] = []
  const release = (): void => {
    for (const fd of fds) closeSync(fd)
  }
  try {
    takeFile({ path: OF_MACHINE, name: OF_MACHINE, isOptional: true }, fds)
    const name = `${folder.name}/${OF_FOLDER}`
    takeFile({ path: `${folder.path}/${OF_FOLDER}`, name, isOptional: isUndoing }, fds)
  } catch (error) {
    release()
    throw error
  }
  return { fds, [Symbol.dispose]: release }
}

/** Writes into the files of a lock that this process has it now. Throws as writing does. */
export const noteOwner = (fds: readonly number[]): void => {
  for (const fd of fds) {
    ftruncateSync(fd)
    writeSync(fd, `${process.pid}\n`, 0)
  }
}

/** A file to be locked; `name` is its path for people. One that is optional is done without where it can't be had. */
type LockFile = { path: string; name: string; isOptional: boolean }

const takeFile = (file: LockFile, fds: number[]): void => {
  const fd = openFile(file)
  if (fd === null) return
  fds.push(fd)
  const stat = fstatSync(fd)
  if (!stat.isFile() || stat.uid !== process.geteuid?.()) throw new Error(`${file.name} is no file of taut's`)
  if (!tryLock(fd)) throw new LockedError(readOwner(fd))
  try {
    noteOwner([fd])
  } catch (error) {
    // It is locked without that, too.
    if (!file.isOptional) throw error
  }
}

const openFile = ({ path, name, isOptional }: LockFile): number | null => {
  // What is on a disk that can only be read can be locked all the same.
  for (const flags of [constants.O_RDWR | constants.O_CREAT, constants.O_RDONLY]) {
    try {
      return openSync(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK, 0o600)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : ''
      if (code === 'ELOOP') throw new Error(`${name} is a link, which taut does not follow`)
      if (!isOptional || !UNWRITABLE.includes(code)) throw error
    }
  }
  return null
}

/**
 * flock(2) belongs to the open file and not to who asked for it, so that flock(1), which inherits it, can lock it for us:
 * Node has no such call.
 */
const tryLock = (fd: number): boolean => {
  try {
    execFileSync('flock', ['-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', fd] })
    return true
  } catch (error) {
    const isTaken = error instanceof Error && 'status' in error && error.status === 1
    if (isTaken) return false
    throw error
  }
}

const readOwner = (fd: number): number | null => {
  const buffer = Buffer.alloc(16)
  const pid = Number(buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0)))
  return Number.isSafeInteger(pid) && pid > 0 ? pid : null
}
