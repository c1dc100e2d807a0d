import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import { quoteShell } from '../text/shell.js'
import { Failure } from './failure.js'

/** Runs the first argument, and ends it and all that it has started when nobody holds the other end of the pipe any more. */
const TIED = '(read -r _ <&3; kill -TERM -$$) & exec sh -c "$1" 3<&-'

/** A command that makes load; ends with its disposal, however that comes, and with all that it has started. */
export type Load = Disposable & {
  /** Throws a Failure when it has failed by now: before anything is tried, that is a mistake in the command. */
  check: () => void
}

/** Starts the user's own command by sh, as it would be typed there. `say` is told when it ends by itself. */
export const startLoad = (command: string, say: (text: string) => void): Load => {
  const load = spawn('sh', ['-c', TIED, 'sh', command], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const tie = load.stdio[3]
  if (!(tie instanceof Socket)) throw new Error('the load has no pipe')
  // The load may go on while nobody waits for it.
  load.unref()
  tie.unref()
  let isOver = false
  let failed: string | null = null
  load.once('error', error => {
    failed = `did not start: ${error.message}`
  })
  load.once('exit', (code, signal) => {
    if (isOver) return
    const how = code === null ? `by ${signal}` : `with exit code ${code}`
    if (code !== 0)
      failed = `ended ${how}${code === 127 ? ', which is what sh says of a command that it does not find' : ''}`
    say(`the load ended ${how}; what goes on has the traffic that is left`)
  })
  return {
    check: () => {
      if (failed !== null)
        throw new Failure(
          `the load ${failed}; nothing was changed (try: sh -c ${quoteShell(command)} by itself)`,
        )
    },
    [Symbol.dispose]: () => {
      isOver = true
      tie.destroy()
    },
  }
}
