import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Lock } from './lock.js'
import type { StateFolder } from './state-folder.js'

/** A process that puts back what is not to be kept, should this one end without calling `dismiss`. */
export type Guard = { dismiss: () => Promise<void> }

const PROCESS = fileURLToPath(new URL('guard-process.js', import.meta.url))

/** What the guard says when it watches, and what ends its watch. */
export const READY = 'ready'
export const DONE = 'done'

/**
 * Starts the guard, and gives it once it watches. It has a session of its own, so that a lost terminal does not reach it,
 * and the lock, so that no other taut comes between. Throws when it can't be started: then nothing must be changed.
 */
export const startGuard = async (folder: StateFolder, lock: Lock): Promise<Guard> => {
  const child = spawn(process.execPath, [PROCESS, folder.name], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'ignore', lock.fd],
  })
  await waitUntilReady(child)
  child.unref()
  const { stdin } = child
  if (stdin === null) throw new Error('the guard has no pipe')
  // It may be gone before us; what it would have done is then ours alone.
  stdin.on('error', () => {})
  return {
    dismiss: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.ref()
      const ended = once(child, 'exit')
      stdin.end(`${DONE}\n`)
      await ended
    },
  }
}

const waitUntilReady = async (child: ChildProcess): Promise<void> => {
  const ready = child.stdout === null ? null : once(child.stdout, 'data')
  const ended = once(child, 'exit')
  // An error of spawn's rejects them both.
  const [first] = await Promise.race([ready ?? ended, ended])
  ready?.catch(() => {})
  ended.catch(() => {})
  if (!Buffer.isBuffer(first)) throw new Error('the guard, which would put settings back, did not start')
  child.stdout?.destroy()
}
