import { fork } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { LoadResult } from './load.js'

/** A service and a client of it, each in a process of its own; `stop` ends them and gives what the client saw. */
export type Demo = {
  port: number
  serverPid: number
  clientPid: number
  stop: () => Promise<LoadResult>
}

/** How much load: connections, and requests a second besides the bursts. */
export type DemoOptions = { connections: number; rate: number }

/**
 * Starts the demo's service on a free port of loopback, and its load. Both end with this process, however it ends.
 *
 * Throws when one of them does not start; `stop` throws when the load broke off.
 */
export const startDemo = async ({ connections, rate }: DemoOptions): Promise<Demo> => {
  const server = startProgram('server.js')
  try {
    const port = Number(Reflect.get(Object(await server.ready), 'port'))
    const client = startProgram('client.js', port, connections, rate)
    try {
      await client.ready
    } catch (error) {
      await client.end()
      throw error
    }

    const stop = async (): Promise<LoadResult> => {
      // The client first: the service has to answer what is on its way.
      const { exitCode, output, errors } = await client.end()
      await server.end()
      if (exitCode !== 0) throw new Error(`the demo's load broke off: ${errors.trim()}`)
      return JSON.parse(output)
    }
    return { port, serverPid: server.pid, clientPid: client.pid, stop }
  } catch (error) {
    await server.end()
    throw error
  }
}

type Outcome = { exitCode: number | null; output: string; errors: string }

type Program = {
  pid: number
  /** Its first message; rejects when it ends before that. */
  ready: Promise<unknown>
  /** Ends it, if it has not ended yet. */
  end: () => Promise<Outcome>
}

const KILL_AFTER_MS = 5000

const startProgram = (file: string, ...args: number[]): Program => {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args.map(String), {
    // The options of a debugger or a test runner are not for these.
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const { stdout, stderr, pid } = child
  if (pid === undefined || stdout === null || stderr === null)
    throw new Error(`can't start the demo's ${file}`)

  const exited = new Promise<number | null>(resolve => child.once('close', resolve))
  const outcome = Promise.all([exited, text(stdout), text(stderr)]).then(
    ([exitCode, output, errors]): Outcome => ({ exitCode, output, errors }),
  )

  const ready = new Promise<unknown>((resolve, reject) => {
    child.once('message', resolve)
    outcome.then(
      ({ errors }) => reject(new Error(`the demo's ${file} did not start: ${errors.trim()}`)),
      reject,
    )
  })

  const end = async (): Promise<Outcome> => {
    child.kill('SIGTERM')
    const killer = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    const result = await outcome
    clearTimeout(killer)
    return result
  }

  return { pid, ready, end }
}
