import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { MeasureDocument } from '../../../src/latency/document.js'
import { readEphemeralPorts } from '../../../src/system/ephemeral-ports.js'
import { assertExact } from './assertions.js'
import { DATAGRAMS, rootPath } from './fixtures.js'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { endProcess, type Running, startProcess, waitForOutput } from './processes.js'
import { startMeasuring } from './taut.js'
import { waitFor, waitForFile } from './wait.js'

/** A service of UDP. */
export type UdpService = Running & { host: string; port: number; netns?: string | undefined }

/** What the echo did by its own clock. */
export type EchoAccount = { requests: number; delayed_ns: number }

/** What is sent, the first two bytes aside, in hexadecimal. */
export const MESSAGES = {
  echo: '0000aabbccdd',
  /** Of a service that answers others later. */
  quick: '000000',
  /** That such a service never answers. */
  unanswered: '000001',
  /** More than fits into a packet. */
  large: `0000${'ab'.repeat(4000)}`,
  /** A frame header (number, part, parts, reserved) and a command. */
  memcached: `0000000000010000${Buffer.from('get x\r\n').toString('hex')}`,
  /** Recursion is desired, one question: the address of taut.test. */
  dns: '000001000001000000000000047461757404746573740000010001',
}

/** Starts the service that answers every datagram with itself after a delay; `finish` ends it and gives what it says. */
export const startEcho = async (
  t: Context,
  {
    host = '127.0.0.1',
    netns,
    place = 'app_cpu',
    delayUs = 0,
    parts = 1,
    cpu,
  }: {
    host?: string
    netns?: string
    place?: string
    delayUs?: number
    parts?: number
    cpu?: number | undefined
  },
): Promise<UdpService & { finish: () => Promise<EchoAccount> }> => {
  const running = await startProcess(t, DATAGRAMS, ['serve', host, place, delayUs, parts], { netns, cpu })
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  const finish = async (): Promise<EchoAccount> => {
    const { stdout } = await endProcess(running)
    return JSON.parse(stdout.slice(stdout.indexOf('{')))
  }
  return { ...running, host, netns, port: Number(port), finish }
}

/** Starts memcached on a UDP port of its own choice; `port` is that, and `tcpPort` where it tells its counters. */
export const startUdpMemcached = async (
  t: Context,
  threads = 4,
): Promise<UdpService & { tcpPort: number }> => {
  const portFile = join(await createFolder(t), 'port')
  const host = '127.0.0.1'
  const args = ['-u', 'nobody', '-l', host, '-p', -1, '-U', -1, '-t', threads]
  const running = await startProcess(t, 'memcached', args, { env: { MEMCACHED_PORT_FILENAME: portFile } })
  const content = await waitForFile(portFile, running)
  const read = (kind: string): number => Number(new RegExp(`${kind} INET: (\\d+)`).exec(content)?.[1])
  return { ...running, host, port: read('UDP'), tcpPort: read('TCP') }
}

/** Starts memcached on one port for TCP and UDP, one that no client gets. */
export const startMemcachedOfBoth = async (t: Context): Promise<UdpService> => {
  const host = '127.0.0.1'
  const port = await findServersPort()
  const portFile = join(await createFolder(t), 'port')
  const args = ['-u', 'nobody', '-l', host, '-p', port, '-U', port]
  const running = await startProcess(t, 'memcached', args, { env: { MEMCACHED_PORT_FILENAME: portFile } })
  await waitForFile(portFile, running)
  return { ...running, host, port }
}

/** Has clients ask memcached by UDP, so many times a second, until the test is over. */
export const keepAsking = async (t: Context, service: UdpService, rate = 2000): Promise<void> => {
  const questions = { message: MESSAGES.memcached, requests: 1_000_000, rate }
  void (await prepareQuestions(t, service, questions))().catch(() => undefined)
}

/** Starts unbound, which knows one name and forwards nothing; `countReplies` counts them in its log. */
export const startUnbound = async (
  t: Context,
): Promise<UdpService & { countReplies: () => Promise<number> }> => {
  const service = await startUnboundWith(t, {
    server: 'local-zone: "test." static\n  local-data: "taut.test. A 192.0.2.1"',
  })
  const countReplies = async (): Promise<number> =>
    (await service.readLog()).split('\n').filter(line => line.includes(' taut.test. A IN NOERROR ')).length
  return { ...service, countReplies }
}

/**
 * Starts unbound, which forwards every question to a name server on a port of loopback; `readTimes` waits until its log
 * has so many replies, and gives how long each took by its own clock, in seconds.
 */
export const startForwarder = async (
  t: Context,
  upstreamPort: number,
): Promise<UdpService & { readTimes: (replies: number) => Promise<number[]> }> => {
  const service = await startUnboundWith(t, {
    server: 'do-not-query-localhost: no',
    zones: `forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@${upstreamPort}`,
  })
  const readTimes = (replies: number): Promise<number[]> =>
    waitFor(`${replies} replies in unbound's log`, async () => {
      const times = [...(await service.readLog()).matchAll(/ A IN NOERROR (\d+\.\d+) 0 \d+$/gm)]
      return times.length < replies ? null : times.map(([, seconds]) => Number(seconds))
    })
  return { ...service, readTimes }
}

const startUnboundWith = async (
  t: Context,
  { server, zones = '' }: { server: string; zones?: string },
): Promise<UdpService & { readLog: () => Promise<string> }> => {
  const folder = await createFolder(t)
  const [host, port] = ['127.0.0.1', await findFreeUdpPort()]
  const config = join(folder, 'unbound.conf')
  await mkdir(join(folder, 'run'))
  await writeFile(
    config,
    `server:
  interface: ${host}@${port}
  do-tcp: no
  do-daemonize: no
  use-syslog: no
  logfile: "${folder}/log"
  log-replies: yes
  username: ""
  chroot: ""
  directory: "${folder}/run"
  pidfile: ""
  num-threads: 1
  ${server}
${zones}
remote-control:
  control-enable: no
`,
  )
  const running = await startProcess(t, 'unbound', ['-d', '-c', config])
  const readLog = (): Promise<string> => readFile(join(folder, 'log'), 'utf8').catch(() => '')
  await waitFor('unbound to start', async () => {
    if (running.child.exitCode !== null) throw new Error((await running.ended).stderr)
    return (await readLog()).includes('start of service') || null
  })
  return { ...running, host, port, readLog }
}

/** Starts a name server that answers every question for an address after so many milliseconds; gives its port. */
export const startNameServer = async (t: Context, delayMs: number): Promise<number> => {
  const program = rootPath('dist/test/kernel/fixtures/name-server.js')
  const running = await startProcess(t, process.execPath, [program, delayMs])
  const [, port] = await waitForOutput(running, /^port (\d+)\n/)
  return Number(port)
}

/** Gives the question for the address of one of many names under `example.`, with a header. */
export const createQuestion = (number: number): Buffer => {
  const label = Buffer.from(`name-${number}`)
  const header = Buffer.from('000001000001000000000000', 'hex')
  header.writeUInt16BE(number & 0xffff)
  return Buffer.concat([
    header,
    Buffer.of(label.length),
    label,
    Buffer.from('076578616d706c650000010001', 'hex'),
  ])
}

/** What the client is to send: exactly so many requests. */
export type Questions = {
  message: string
  requests: number
  peers?: number
  /** Unanswered ones of a peer. */
  window?: number
  /** Datagrams of an answer. */
  parts?: number
  rate?: number
  /** So many go to the kernel at once, which segments them where it has to. */
  together?: number
  /** The client's. */
  cpu?: number | undefined
}

/** Opens the client's sockets, and gives the function that sends and gives the client's own count and clock. */
export const prepareQuestions = async (
  t: Context,
  { host, port }: UdpService,
  { message, requests, peers = 8, window = 1, parts = 1, rate = 0, together = 1, cpu }: Questions,
  netns?: string,
): Promise<() => Promise<{ requests: number; mean_us: number }>> => {
  const args = ['ask', host, port, requests, peers, window, rate, message, parts, together]
  const client = await startProcess(t, DATAGRAMS, args, { netns, cpu })
  await waitForOutput(client, /^ready\n/)
  return async () => {
    client.child.stdin?.write('\n')
    const { code, stdout, stderr } = await client.ended
    if (code !== 0) throw new Error(`the client failed: ${stderr}`)
    const result = JSON.parse(stdout.slice('ready\n'.length))
    t.is(result.requests, requests)
    return result
  }
}

/** Sends a service one datagram from each of so many sockets, which stay open until the test is over. */
export const sendFromEach = async (
  t: Context,
  { host, port }: UdpService,
  peers: number,
  message: string,
): Promise<void> => {
  await waitForOutput(await startProcess(t, DATAGRAMS, ['tell', host, port, peers, message]), /^ready\n/)
}

/**
 * Of a datagram whose read is not found only the total is known: where the kernel has left a probe's run out, the reads of those
 * behind are off by one until the queue is empty.
 */
export const SHALLOW = 0.03

/** Before 6.3 the kernel does not tell how many datagrams are ahead of one; it is looked for among so many reads (bpf/reads.h). */
const tellsWhatIsAhead = readFileSync('/sys/kernel/btf/vmlinux').includes('btf_trace_sk_data_ready')
const SEARCHED = 64

/** How many of those that are asked for may be known by their totals alone. */
const findShallow = ({ peers = 8, window = 1 }: Questions): number =>
  tellsWhatIsAhead || peers * window <= SEARCHED ? SHALLOW : 1

/**
 * Asks a service, out of its network namespace or another one, and asserts that each answer is counted and nothing is lost, but for
 * answers of whose departure the kernel has told no probe, as far as there can be any.
 */
export const measureAnswers = async (
  t: Context,
  service: UdpService,
  questions: Questions,
  client = service.netns,
  countUntold = async (): Promise<number> => 0,
): Promise<MeasureDocument> => {
  const ask = await prepareQuestions(t, service, questions, client)
  const where = service.netns === undefined ? [] : ['--netns', service.netns]
  const measurement = await startMeasuring(t, '--port', `${service.port}/udp`, ...where)
  const { mean_us } = await ask()
  const document = await measurement.stop()
  // That a peer waits for several answers is what pipelining means here.
  const pipelined = questions.window === undefined || questions.window === 1 ? document.pipelined : 0
  const { unanswered, in_flight } = document
  const untold = await countUntold()
  if (untold > 0) t.log(`no probe was told of ${untold} packets`)
  t.true(
    unanswered + in_flight <= untold,
    `${unanswered} and ${in_flight} without an answer, ${untold} packets untold`,
  )
  const answered = questions.requests - unanswered - in_flight
  assertExact(t, { ...document, pipelined, unanswered: 0, in_flight: 0 }, answered, {
    shallow: findShallow(questions),
  })
  t.is(document.target.protocol, 'udp')
  t.true((document.total.mean_us ?? 0) < mean_us, 'no longer than the client waited')
  return document
}

/** Gives a port below those that clients get that was free for TCP and UDP a moment ago. */
const findServersPort = async (): Promise<number> => {
  const { first } = readEphemeralPorts() ?? { first: 32_768 }
  return waitFor('a free port', async () => {
    const port = 1024 + Math.floor(Math.random() * (first - 1024))
    const server = createServer().listen(port, '127.0.0.1')
    const socket = createSocket('udp4').bind(port, '127.0.0.1')
    try {
      await Promise.all([once(server, 'listening'), once(socket, 'listening')])
      return port
    } catch {
      return null
    } finally {
      server.close()
      socket.close()
    }
  })
}

const findFreeUdpPort = async (): Promise<number> => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}
