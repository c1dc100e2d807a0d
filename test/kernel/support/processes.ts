import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Context } from './kernel-test.js'
import { WORKPLACE } from './leftovers.js'
import { waitFor } from './wait.js'

/** How a process ended, and what it wrote. */
export type Ending = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }

/** A process that a test started. */
export type Running = {
  pid: number
  child: ChildProcess
  /** What it wrote so far. */
  stdout: () => string
  stderr: () => string
  ended: Promise<Ending>
}

export type ProcessOptions = {
  env?: Record<string, string>
  /** The name of the network namespace to run in. */
  netns?: string | undefined
  /** The CPU to run on, and nowhere else. */
  cpu?: number | undefined
}

const KILL_AFTER_MS = 5000

/** Starts a program; it is ended after the test, if it has not ended by then. Throws when it can't be started. */
export const startProcess = async (
  t: Context,
  program: string,
  args: readonly (string | number)[],
  { env = {}, netns, cpu }: ProcessOptions = {},
): Promise<Running> => {
  // `ip netns exec` and `taskset` become the program, with the same process id.
  const command = [
    ...(netns === undefined ? [] : ['ip', 'netns', 'exec', netns]),
    ...(cpu === undefined ? [] : ['taskset', '-c', String(cpu)]),
    program,
    ...args.map(String),
  ]
  const child = spawn(command[0] ?? program, command.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: WORKPLACE,
    env: { ...process.env, ...env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  // A program may end without having read what it was sent.
  child.stdin.on('error', () => undefined)
  const ended = new Promise<Ending>(resolve => {
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }))
  })
  await once(child, 'spawn')
  t.teardown(() => endProcess({ child, ended }))
  return { pid: child.pid ?? 0, child, stdout: () => stdout, stderr: () => stderr, ended }
}

/** Asks a process to end, makes it end if it does not, and gives how it ended. */
export const endProcess = async ({ child, ended }: Pick<Running, 'child' | 'ended'>): Promise<Ending> => {
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
  const ending = await ended
  clearTimeout(killer)
  return ending
}

/** Stops a process where it is, and waits until all its threads have stopped; SIGCONT lets it go on. */
export const pauseProcess = async ({ pid, child }: Pick<Running, 'pid' | 'child'>): Promise<void> => {
  child.kill('SIGSTOP')
  await waitFor(`process ${pid} to stop`, async () =>
    (await listThreadStates(pid)).every(state => state === 'T') ? true : null,
  )
}

/** Gives the state of each thread of a process by its letter: R, S, T and so on. */
export const listThreadStates = async (pid: number): Promise<string[]> => {
  const tasks = await readdir(`/proc/${pid}/task`)
  const stats = await Promise.all(tasks.map(task => readFile(`/proc/${pid}/task/${task}/stat`, 'latin1')))
  // The name before it is in parentheses, and may hold spaces and parentheses itself.
  return stats.map(stat => stat.charAt(stat.lastIndexOf(')') + 2))
}

/** Gives the processes of a group, a line each that begins with the group and the state. */
export const listGroup = async (group: number): Promise<string[]> =>
  (await promisify(execFile)('ps', ['-eo', 'pgid=,stat=,args='])).stdout
    .split('\n')
    .filter(line => line.trim().startsWith(`${group} `))

/** Waits until a process has written what the pattern matches, and gives the match; throws when it ended before. */
export const waitForOutput = async (running: Running, pattern: RegExp): Promise<RegExpExecArray> => {
  let ending: Ending | undefined
  void running.ended.then(result => {
    ending = result
  })
  return waitFor(`output like ${pattern}`, () => {
    const match = pattern.exec(running.stdout())
    if (match === null && ending !== undefined) {
      throw new Error(`ended with ${ending.code ?? ending.signal}: ${ending.stderr}`)
    }
    return match
  })
}

/**
 * Starts a program of Node's that prints "ready", and then a line of JSON for each that it reads; gives what writes one and
 * gives the answer.
 */
export const startAnswering = async <Answer>(
  t: Context,
  program: string,
  args: readonly (string | number)[],
  options: ProcessOptions = {},
): Promise<(line: string | number) => Promise<Answer>> => {
  const running = await startProcess(t, process.execPath, [program, ...args], options)
  await waitForOutput(running, /^ready\n/)
  let answers = 0
  return async line => {
    running.child.stdin?.write(`${line}\n`)
    const [, answer = ''] = await waitForOutput(
      running,
      new RegExp(`^ready\\n(?:.*\\n){${answers++}}(.*)\\n`),
    )
    return JSON.parse(answer)
  }
}
