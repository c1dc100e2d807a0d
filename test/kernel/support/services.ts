import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootPath, SERVICE } from './fixtures.js'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { runNginx } from './nginx.js'
import { endProcess, type Running, startProcess, waitForOutput } from './processes.js'
import { waitFor, waitForFile } from './wait.js'

/** Where a service listens. */
export type Place = { host: string; port: number; netns?: string | undefined }

/** A service that listens. */
export type Service = Running & Place

type PlaceOptions = Partial<Omit<Place, 'port'>>

/** Starts memcached on a port of its own choice. */
export const startMemcached = async (
  t: Context,
  args: readonly (string | number)[] = [],
  { host = '127.0.0.1', netns }: PlaceOptions = {},
): Promise<Service> => {
  const portFile = join(await createFolder(t), 'port')
  const running = await startProcess(
    t,
    'memcached',
    ['-u', 'nobody', '-l', host, '-p', -1, '-U', 0, '-c', 4096, ...args],
    { env: { MEMCACHED_PORT_FILENAME: portFile }, netns },
  )
  const content = await waitForFile(portFile, running)
  return { ...running, host, netns, port: Number(/TCP INET6?: (\d+)/.exec(content)?.[1]) }
}

/** Sends a service a text, and gives what it says until that ends so; that is a request of its own. */
const exchange = async ({ host, port, netns }: Place, text: string, end: string): Promise<string> => {
  const ask = [rootPath('dist/test/kernel/fixtures/exchange.js'), host, String(port), text, end]
  const command = [...(netns === undefined ? [] : ['ip', 'netns', 'exec', netns]), process.execPath, ...ask]
  return (await promisify(execFile)(command[0] ?? '', command.slice(1))).stdout
}

/** Gives one of memcached's own counters, which may have a fraction; asking is a request of its own. */
export const readStat = async (place: Place, name: string): Promise<number> => {
  const stats = await exchange(place, 'stats\r\n', 'END\r\n')
  return Number(new RegExp(`^STAT ${name} ([\\d.]+)\\r$`, 'm').exec(stats)?.[1])
}

/** Stores a value of so many bytes in memcached, as the key "x". */
export const storeValue = async (place: Place, bytes: number): Promise<void> => {
  await exchange(place, `set x 0 0 ${bytes}\r\n${'v'.repeat(bytes)}\r\n`, 'STORED\r\n')
}

/** Starts Redis, which keeps nothing on disk. */
export const startRedis = async (t: Context, args: readonly (string | number)[] = []): Promise<Service> => {
  const place = { host: '127.0.0.1', port: await findFreePort() }
  const running = await startProcess(t, 'redis-server', [
    ...['--bind', place.host, '--port', place.port, '--save', '', '--appendonly', 'no', ...args],
  ])
  return waitUntilListening({ ...running, ...place })
}

/** Gives how often Redis was given a command, and for how long it was at that, by its own clock. */
export const readCommandStats = async (
  place: Place,
  command: string,
): Promise<{ calls: number; usec: number }> => {
  const stats = await exchange(place, 'INFO commandstats\r\nPING\r\n', '+PONG\r\n')
  const [, calls, usec] = new RegExp(`^cmdstat_${command}:calls=(\\d+),usec=(\\d+),`, 'm').exec(stats) ?? []
  return { calls: Number(calls ?? 0), usec: Number(usec ?? 0) }
}

/** Starts nginx, which gives every request the same answer. */
export const startNginx = (t: Context): Promise<Service> => startNginxWith(t, 'return 200 "hello";')

/** Starts nginx, which sends a file of so many bytes by sendfile. */
export const startFileServer = async (t: Context, bytes: number): Promise<Service> => {
  const folder = await createFolder(t)
  await writeFile(join(folder, 'index.html'), Buffer.alloc(bytes, 'x'))
  return startNginxWith(t, `sendfile on; root ${folder};`)
}

/** What nginx logged of a request: when, as seconds of the wall clock, and for how long it was at it. */
export type LoggedRequest = { at: number; seconds: number }

/** Starts nginx, which asks another service for every answer; `readLog` waits for so many lines of its log. */
export const startProxy = async (
  t: Context,
  upstream: Place,
): Promise<Service & { readLog: (lines: number) => Promise<LoggedRequest[]> }> => {
  const directives = `location / { proxy_pass http://${upstream.host}:${upstream.port}; }`
  const service = await startNginxWith(t, directives, '$msec $request_time')
  const readLog = (lines: number): Promise<LoggedRequest[]> =>
    waitFor(`${lines} lines of nginx's log`, async () => {
      const logged = (await readFile(join(service.folder, 'access.log'), 'latin1')).trim().split('\n')
      if (logged.length < lines) return null
      return logged.map(line => {
        const [at = Number.NaN, seconds = Number.NaN] = line.split(' ').map(Number)
        return { at, seconds }
      })
    })
  return { ...service, readLog }
}

const startNginxWith = async (t: Context, directives: string, log?: string) => {
  const place = { host: '127.0.0.1', port: await findFreePort() }
  const server = `listen ${place.host}:${place.port}; ${directives}`
  const options = { processes: 2, connections: 1024, server }
  const running = await runNginx(t, { ...options, ...(log !== undefined && { log }) })
  const service = { ...running, ...place }
  await waitUntilListening(service)
  return service
}

/** Starts an HTTP server of Node's. */
export const startNodeServer = async (t: Context): Promise<Service> => {
  const program = rootPath('dist/test/kernel/fixtures/http-server.js')
  const running = await startProcess(t, process.execPath, [program])
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  return { ...running, host: '127.0.0.1', port: Number(port) }
}

/** Starts an HTTP server of Node's that takes so long for each request; `finish` ends it and gives what it says itself. */
export const startTimedServer = async (
  t: Context,
  handler: 'app_cpu' | 'app_wait',
  delayUs: number,
): Promise<Service & { finish: () => Promise<{ requests: number; own_us: number }> }> => {
  const program = rootPath('dist/test/kernel/fixtures/timed-server.js')
  const running = await startProcess(t, process.execPath, [program, handler, delayUs])
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  const finish = async () => {
    const { stdout } = await endProcess(running)
    return JSON.parse(stdout.slice(stdout.indexOf('{')))
  }
  return { ...running, host: '127.0.0.1', port: Number(port), finish }
}

/** What the service with its own clock did. */
export type Account = {
  requests: number
  /** How often it read some of them, all of which it then answered before it read again. */
  rounds: number
  /** The sum of its delays by the wall clock. */
  delayed_ns: number
  /** For how much of that its thread was ready and had to wait for a CPU. */
  preempted_ns: number
  /** How long requests took from the thread that reads them to the one that answers them. */
  handed_ns: number
  /** How long its threads had to wait for a CPU at all other times. */
  other_run_delay_ns: number
}

/** A service whose time is known; `finish` ends it and gives what it says itself. */
export type KnownService = Service & { finish: () => Promise<Account> }

/** Starts the service whose time is known. */
export const startService = (t: Context, ...args: readonly (string | number)[]): Promise<KnownService> =>
  startServiceAt(t, {}, ...args)

/**
 * Of requests that come one after the other, how many may be handed over, by a service that was started so, to a thread that is busy
 * still with the last one, and needs no wake-up that would tell how long it slept.
 */
export const ofHandOvers = (args: readonly (string | number)[]): number =>
  args.includes('handoff') ? 0.02 : 0

/** Starts it at an address, in a network namespace, on a CPU, as told. */
export const startServiceAt = async (
  t: Context,
  { host = '127.0.0.1', netns, cpu }: PlaceOptions & { cpu?: number },
  ...args: readonly (string | number)[]
): Promise<KnownService> => {
  const running = await startProcess(t, SERVICE, ['--host', host, ...args], { netns, cpu })
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  const finish = async (): Promise<Account> => {
    const { stdout } = await endProcess(running)
    return JSON.parse(stdout.slice(stdout.indexOf('{')))
  }
  return { ...running, host, netns, port: Number(port), finish }
}

/** Gives a port of loopback that was free a moment ago, for services that can't choose one themselves. */
export const findFreePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address !== 'object') throw new Error('no free port')
  return address.port
}

const waitUntilListening = async (service: Service): Promise<Service> => {
  await waitFor(`port ${service.port}`, async () => {
    const { exitCode, signalCode } = service.child
    if (exitCode !== null || signalCode !== null) throw new Error((await service.ended).stderr)
    const socket = connect(service.port, service.host)
    try {
      await once(socket, 'connect')
      return true
    } catch {
      return null
    } finally {
      socket.destroy()
    }
  })
  return service
}
