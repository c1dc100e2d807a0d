import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { BUCKETS, bucketIndex, findQuantile } from '../latency/histogram.js'

/** What a load did: requests sent and answered, and microseconds from when each was due to its answer. */
export type LoadResult = {
  sent: number
  requests: number
  seconds: number
  mean_us: number
  p50_us: number
  p99_us: number
  max_us: number
}

/** A load that runs. `stop` waits for the answers that are on their way, two seconds at most. */
export type Load = { stop: () => Promise<LoadResult> }

const KEYS = 100
/** One request in so many is a SET, the others are GETs. */
const SET_EVERY = 10
/** More requests at once than there are connections, as it happens in life: the tail that there is to see. */
const BURST_EVERY_MS = 1500
const BURST_PER_CONNECTION = 8
const TICK_MS = 1
const DRAIN_MS = 2000

const LONGEST_END = 'STORED\r\n'.length

type Connection = { socket: Socket; dueAt: number; tail: string }

/**
 * Sends `rate` requests a second, and bursts, to a service that speaks memcached's text protocol.
 *
 * They are due on a schedule, whether earlier ones are answered or not; a connection has one at a time on its way.
 * Throws when it can't connect; calls `onFailure` when a connection breaks or an answer is an error.
 */
export const startLoad = async (
  port: number,
  connections: number,
  rate: number,
  onFailure: (error: Error) => void,
): Promise<Load> => {
  const idle = await Promise.all(Array.from({ length: connections }, () => openConnection(port)))
  const all = [...idle]
  const histogram = new Float64Array(BUCKETS)
  const startedAt = performance.now()
  let burst = { dueAt: startedAt, left: 0 }
  let scheduled = 0
  let sent = 0
  let answered = 0
  let sumMs = 0
  let maxMs = 0
  let isStopping = false
  let onDrained = (): void => {}

  const takeDue = (now: number): number | null => {
    if (isStopping) return null
    if (burst.left > 0) {
      burst.left--
      return burst.dueAt
    }
    const dueAt = startedAt + (scheduled * 1000) / rate
    if (dueAt > now) return null
    scheduled++
    return dueAt
  }

  const sendDue = (): void => {
    const now = performance.now()
    while (idle.length > 0) {
      const dueAt = takeDue(now)
      // The one idle for longest, so that all connections are used.
      const connection = dueAt === null ? undefined : idle.shift()
      if (dueAt === null || connection === undefined) return
      connection.dueAt = dueAt
      connection.socket.write(createRequest(sent++), 'latin1')
    }
  }

  const takeAnswer = (connection: Connection, chunk: Buffer): void => {
    const answer = connection.tail + chunk.toString('latin1')
    if (/ERROR.*\r\n$/.test(answer)) {
      onFailure(new Error(`the service answered: ${answer.trim()}`))
      return
    }
    // The values hold no line ends, so the end of an answer can only be at the end.
    connection.tail = answer.slice(-LONGEST_END)
    if (!/(END|STORED)\r\n$/.test(connection.tail)) return

    const ms = performance.now() - connection.dueAt
    answered++
    sumMs += ms
    maxMs = Math.max(maxMs, ms)
    const bucket = bucketIndex(Math.round(ms * 1e6))
    histogram[bucket] = (histogram[bucket] ?? 0) + 1
    connection.tail = ''
    idle.push(connection)
    sendDue()
    if (sent === answered) onDrained()
  }

  for (const connection of all) {
    connection.socket.on('data', chunk => takeAnswer(connection, chunk))
    connection.socket.on('error', onFailure)
    connection.socket.on('close', () => {
      if (!isStopping) onFailure(new Error('the service closed a connection'))
    })
  }

  const ticks = setInterval(sendDue, TICK_MS)
  const bursts = setInterval(() => {
    if (burst.left === 0) burst = { dueAt: performance.now(), left: connections * BURST_PER_CONNECTION }
  }, BURST_EVERY_MS)

  const stop = async (): Promise<LoadResult> => {
    isStopping = true
    clearInterval(ticks)
    clearInterval(bursts)
    if (sent !== answered) {
      await new Promise<void>(resolve => {
        const giveUp = setTimeout(resolve, DRAIN_MS)
        onDrained = () => {
          clearTimeout(giveUp)
          resolve()
        }
      })
    }
    for (const { socket } of all) socket.destroy()

    const toUs = (ms: number): number => Math.round(ms * 1e4) / 10
    const quantileUs = (percentile: number): number =>
      toUs((findQuantile(histogram, percentile, maxMs * 1e6) ?? 0) / 1e6)
    return {
      sent,
      requests: answered,
      seconds: Math.round(performance.now() - startedAt) / 1000,
      mean_us: toUs(answered === 0 ? 0 : sumMs / answered),
      p50_us: quantileUs(50),
      p99_us: quantileUs(99),
      max_us: toUs(maxMs),
    }
  }

  return { stop }
}

const openConnection = async (port: number): Promise<Connection> => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return { socket, dueAt: 0, tail: '' }
}

const createRequest = (number: number): string => {
  // Odd steps through the keys, so that SETs reach every key and not each tenth one only.
  const key = `key${(number * 7 + Math.floor(number / KEYS)) % KEYS}`
  if (number % SET_EVERY !== 0) return `get ${key}\r\n`
  const value = VALUES[(number / SET_EVERY) % VALUES.length] ?? ''
  return `set ${key} 0 0 ${value.length}\r\n${value}\r\n`
}

const VALUES = [16, 100, 400, 1000, 4000].map(length => 'v'.repeat(length))
