import { type Lock, LockedError, takeLock } from '../journal/lock.js'
import { findStateFolder, openStateFolder, type StateFolder } from '../journal/state-folder.js'
import { showsOwnDevices } from '../system/own-devices.js'
import { EXIT, Failure } from './failure.js'

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
    const folder = openStateFolder(name, { create: true })
    try {
      const lock = takeLock(folder)
      const dispose = () => {
        lock[Symbol.dispose]()
        folder[Symbol.dispose]()
      }
      return { folder, lock, [Symbol.dispose]: dispose }
    } catch (error) {
      folder[Symbol.dispose]()
      throw error
    }
  } catch (error) {
    if (error instanceof LockedError) throw new Failure(error.message)
    const reason = error instanceof Error ? error.message : String(error)
    throw new Failure(
      `cannot keep the way back in ${name}: ${reason}; nothing was changed (try TAUT_STATE=DIR with a folder on a disk that can be written)`,
    )
  }
}
