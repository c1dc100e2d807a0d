import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { MeasureDocument } from '../src/latency/document.js'
import { readThread } from '../src/system/threads.js'

const run = promisify(execFile)

const MAIN = fileURLToPath(new URL('../src/cli/main.js', import.meta.url))
const KVLOAD = fileURLToPath(new URL('load/kvload', import.meta.url))

/** The two that client and service share, however many there are: the first that this process may use. */
const CORES = String(readThread(process.pid, process.pid)?.cpus.slice(0, 2))

/** What the load client printed: its own count and its own clock. */
export type Load = { requests: number; rate: number; p50_us: number; p99_us: number }

/** Starts Debian's memcached with two threads on a free port of loopback; `stop` ends it. */
export const startMemcached = async (): Promise<{ port: number; stop: () => void }> => {
  const port = await findFreePort()
  const args = ['-u', 'nobody', '-l', '127.0.0.1', '-p', String(port), '-U', '0', '-t', '2']
  const child = spawn('taskset', ['-c', CORES, 'memcached', ...args], { stdio: 'ignore' })
  await waitUntil(() => canConnect(port), 'memcached does not answer')
  return { port, stop: () => child.kill() }
}

/** Runs the load client against a port, at normal priority: measuring, this process has a lower one. */
export const runLoad = async (port: number, ...args: string[]): Promise<Load> => {
  const niceness = String(-getPriority())
  const client = [KVLOAD, '--host', '127.0.0.1', '--port', String(port), ...args]
  const { stdout } = await run('taskset', ['-c', CORES, 'nice', '-n', niceness, ...client])
  return JSON.parse(stdout)
}

/** A `taut measure` in progress. */
export type RunningTaut = { pid: number; stop: () => Promise<MeasureDocument> }

const tauts = new Set<ChildProcess>()

/** Ends what is still running, after a failure: its probes would stay attached. */
export const stopTauts = (): void => {
  for (const child of tauts) child.kill('SIGKILL')
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stopTauts()
    process.exit(1)
  })
}

/** Starts `taut measure` on a port; resolves when its probes are attached, and `stop` gives what it measured. */
export const startTaut = async (port: number): Promise<RunningTaut> => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-bench-'))
  const ready = join(folder, 'ready')
  const args = [MAIN, 'measure', '--port', String(port), '--for', '1h', '--json', '--ready-file', ready]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  tauts.add(child)
  child.once('exit', () => tauts.delete(child))
  const output = readAll(child)
  await waitUntil(() => existsSync(ready) || child.exitCode !== null, 'taut does not get ready')
  return {
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGINT')
      const text = await output
      rmSync(folder, { recursive: true })
      return JSON.parse(text)
    },
  }
}

const readAll = async (child: ChildProcess): Promise<string> => {
  let text = ''
  for await (const chunk of child.stdout ?? []) text += chunk
  return text
}

const waitUntil = async (isDone: () => boolean | Promise<boolean>, complaint: string): Promise<void> => {
  for (let tries = 0; tries < 1000; tries++) {
    if (await isDone()) return
    await setTimeout(10)
  }
  throw new Error(complaint)
}

const canConnect = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(socket.destroy() !== undefined))
    socket.once('error', () => resolve(false))
  })

const findFreePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
