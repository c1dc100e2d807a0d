import { execFileSync } from 'node:child_process'
import { closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import type { StateFolder } from './state-folder.js'

/** The right to change settings. The kernel takes it back when the last process that has `fd` open is gone. */
export type Lock = { fd: number; [Symbol.dispose]: () => void }

/** Another taut changes settings. */
export class LockedError extends Error {
  override name = 'LockedError'

  constructor(readonly pid: number | null) {
    super(
      `another taut${pid === null ? '' : ` (process ${pid})`} is changing settings (try again when it has ended)`,
    )
  }
}

const FILE = 'lock'

/**
 * Takes the lock, throws a LockedError when another process has it. flock(2) belongs to the open file and not to who
 * asked for it, so that flock(1), which inherits it, can lock it for us: Node has no such call.
 */
export const takeLock = (folder: StateFolder): Lock => {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
  const fd = openSync(`${folder.path}/${FILE}`, flags, 0o600)
  try {
    if (!tryLock(fd)) throw new LockedError(readOwner(fd))
    ftruncateSync(fd)
    writeSync(fd, `${process.pid}\n`, 0)
  } catch (error) {
    closeSync(fd)
    throw error
  }
  return { fd, [Symbol.dispose]: () => closeSync(fd) }
}

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
