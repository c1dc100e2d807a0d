import { type Lock, LockedError, takeLock } from '../journal/lock.js'
import { findStateFolder, openStateFolder, type StateFolder } from '../journal/state-folder.js'
import { showsOwnDevices } from '../system/own-devices.js'
import { EXIT, Failure } from './failure.js'
import { outliveReader } from './reader.js'

/** Throws a Failure with exit code 4 when this process is not root's, to whom the settings belong. */
export const requireRoot = (what: string): void => {
  if (process.geteuid?.() === 0) return
  throw new Failure(`cannot ${what}: only root may (try: sudo taut …)`, EXIT.forbidden)
}

/**
 * Throws a Failure when /sys shows another network namespace's devices than this process has: what is found by the one would be
 * set by the other.
 */
export const requireOwnDevices = (): void => {
  if (showsOwnDevices()) return
  throw new Failure(
    'nothing was changed: /sys shows the devices of another network namespace than taut is in, as after nsenter --net alone (try: ip netns exec NAME taut …, or nsenter with --mount as well)',
    EXIT.unsupported,
  )
}

/** The journal's folder, and the right to change settings. */
export type State = { folder: StateFolder; lock: Lock; [Symbol.dispose]: () => void }

/** Opens the folder, made if it is missing, and takes the lock; throws a Failure that says why it can't, or must not. */
export const openState = (): State => {
  requireOwnDevices()
  const name = findStateFolder()
  try {
    return lockFolder(openStateFolder(name, { create: true }), { isUndoing: false })
  } catch (error) {
    if (error instanceof LockedError) throw new Failure(error.message)
    const reason = error instanceof Error ? error.message : String(error)
    throw new Failure(
      `cannot keep the way back in ${name}: ${reason}; nothing was changed (try TAUT_STATE=DIR with a folder on a disk that can be written)`,
    )
  }
}

/** The same to undo, for which the folder need not be writable; null where there is none, and so nothing to undo. */
export const openStateToUndo = (): State | null => {
  const name = findStateFolder()
  try {
    return lockFolder(openStateFolder(name), { isUndoing: true })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    const reason = error instanceof Error ? error.message : String(error)
    throw new Failure(error instanceof LockedError ? reason : `cannot undo by what is in ${name}: ${reason}`)
  }
}

const lockFolder = (folder: StateFolder, options: { isUndoing: boolean }): State => {
  try {
    const lock = takeLock(folder, options)
    // Whoever reads what taut says may leave; what was begun is done all the same.
    outliveReader()
    const dispose = () => {
      lock[Symbol.dispose]()
      folder[Symbol.dispose]()
    }
    return { folder, lock, [Symbol.dispose]: dispose }
  } catch (error) {
    folder[Symbol.dispose]()
    throw error
  }
}
