import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { readText } from '../system/files.js'
import { favourSession, takeShare } from '../system/priority.js'
import type { Lock } from './lock.js'
import type { StateFolder } from './state-folder.js'

/** A process that puts back what is not to be kept, should this one end without calling `dismiss`. */
export type Guard = {
  /** Throws when it has ended: with nobody to put it back, nothing more must be changed. */
  check: () => void
  dismiss: () => Promise<void>
}

const PROCESS = fileURLToPath(new URL('guard-process.js', import.meta.url))

/** What the guard says when it watches, and what ends its watch. */
export const READY = 'ready'
export const DONE = 'done'

/** What the programs that taut starts to change settings have in their environment: the guard waits for their end. */
export const MARK = 'TAUT_CHANGES'

/**
 * Starts the guard, and gives it once it watches. It has a session of its own, so that a lost terminal does not reach it,
 * and the lock, so that no other taut comes between. Throws when it can't be started: then nothing must be changed.
 */
export const startGuard = async (folder: StateFolder, lock: Lock): Promise<Guard> => {
  const run = randomUUID()
  const child = spawn(process.execPath, [PROCESS, folder.name, run, String(lock.fds.length)], {
    detached: true,
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', ...lock.fds],
  })
  process.env[MARK] = run
  // While taut traces it gives way, and the guard would with it.
  if (child.pid !== undefined) {
    takeShare(child.pid)
    // It has to be there before anything is changed.
    favourSession(child.pid)
  }
  await waitUntilReady(child)
  child.unref()
  const { stdin } = child
  if (stdin === null) throw new Error('the guard has no pipe')
  // It may be gone before us; what it would have done is then ours alone.
  stdin.on('error', () => {})
  return {
    check: () => {
      if (hasEnded(child))
        throw new Error('the guard is gone, which would put settings back if taut were killed')
    },
    dismiss: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.ref()
      const ended = once(child, 'exit')
      stdin.end(`${DONE}\n`)
      await ended
    },
  }
}

/** Node tells of it only when it comes to look; until then it is a zombie. */
const hasEnded = ({ exitCode, signalCode, pid }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null || !/\) [^ZX] [^)]*$/.test(readText(`/proc/${pid}/stat`) ?? '')

const waitUntilReady = async (child: ChildProcess): Promise<void> => {
  const { stdout, stderr } = child
  let complaint = ''
  stderr?.setEncoding('utf8').on('data', text => {
    complaint += text
  })
  const ready = stdout === null ? null : once(stdout, 'data')
  const ended = once(child, 'close')
  // An error of spawn's rejects them both.
  const [first] = await Promise.race([ready ?? ended, ended])
  ready?.catch(() => {})
  ended.catch(() => {})
  if (!Buffer.isBuffer(first))
    throw new Error(`the guard, which would put settings back, did not start: ${complaint.trim()}`)
  stdout?.destroy()
  stderr?.destroy()
}
