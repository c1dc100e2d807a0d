import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { WORKPLACE } from './leftovers.js'
import { TAUT } from './taut.js'
import { waitFor } from './wait.js'

/** A real terminal that taut runs on. */
export type Terminal = {
  /** The process of taut. */
  pid: number
  /** What is on the screen, with its colours as terminal codes. */
  captureCodes: () => Promise<string>
  /** What was written to the screen: lines that it had to break are whole. */
  captureLines: () => Promise<string[]>
  /** Waits until the screen shows what matches all patterns, and gives it. */
  waitForScreen: (...patterns: RegExp[]) => Promise<string>
  press: (key: string) => Promise<void>
  /** Waits until taut has ended; gives its exit code, and how it left the terminal. */
  waitForEnd: () => Promise<TerminalEnd>
}

/** `screen`: whether it is the normal one, with a cursor, not sending mouse events. `modes`: what stty says. */
export type TerminalEnd = { code: number; screen: string; modes: { before: string; after: string } }

/** Runs a program on the terminal, and notes its process, its exit code, and the terminal's modes before and after. */
const SCRIPT = `
stty -g > "$0/before"
sh -c 'echo $$ > "$0/pid"; exec "$@"' "$0" "$@"
code=$?
stty -g > "$0/after"
echo $code > "$0/code"
exec cat > "$0/rest"`

let opened = 0

/** Opens a terminal of that size, on a tmux server of its own, and starts taut on it. */
export const openTerminal = async (
  t: Context,
  { columns, rows, env = {} }: { columns: number; rows: number; env?: Record<string, string> },
  ...args: (string | number)[]
): Promise<Terminal> => {
  const folder = await createFolder(t)
  const server = `taut-test-${process.pid}-${++opened}`
  const tmux = async (...command: (string | number)[]): Promise<string> => {
    const options = { cwd: WORKPLACE, env: { ...process.env, LC_ALL: 'C.UTF-8', ...env } }
    const full = ['-u', '-L', server, '-f', '/dev/null', ...command].map(String)
    return (await promisify(execFile)('tmux', full, options)).stdout
  }

  const program = ['sh', '-c', SCRIPT, folder, process.execPath, TAUT, ...args]
  await tmux('new-session', '-d', '-x', columns, '-y', rows, ...program)
  const serverPid = Number(await tmux('display-message', '-p', '#{pid}'))
  const pid = Number(await readNote(join(folder, 'pid')))
  t.teardown(async () => {
    await tmux('kill-server')
    await waitFor('tmux to end', () => (isRunning(serverPid) || isRunning(pid) ? null : true))
  })

  return {
    pid,
    captureCodes: () => tmux('capture-pane', '-p', '-e'),
    captureLines: async () =>
      (await tmux('capture-pane', '-p', '-J')).split('\n').map(line => line.trimEnd()),
    waitForScreen: async (...patterns) => {
      let screen = ''
      const look = async () => {
        screen = await tmux('capture-pane', '-p')
        return patterns.every(pattern => pattern.test(screen)) ? screen : null
      }
      return waitFor(`${patterns.join(' and ')} on the screen`, look).catch(error => {
        throw new Error(`${error.message}, which shows:\n${screen}`)
      })
    },
    press: async key => {
      await tmux('send-keys', key)
    },
    waitForEnd: async () => {
      const code = Number(await readNote(join(folder, 'code')))
      const screen = await tmux(
        'display-message',
        '-p',
        'alternate #{alternate_on}, cursor #{cursor_flag}, mouse #{mouse_any_flag}',
      )
      const modes = {
        before: await readNote(join(folder, 'before')),
        after: await readNote(join(folder, 'after')),
      }
      return { code, screen: screen.trim(), modes }
    },
  }
}

const readNote = (path: string): Promise<string> =>
  waitFor(path, async () => {
    const note = await readFile(path, 'utf8').catch(() => '')
    return note.endsWith('\n') ? note.trim() : null
  })

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
