import type { Store } from './store.js'

/** Counters that `stats` shows, shared by the sessions of a server. */
export type Counters = {
  gets: number
  sets: number
  hits: number
  connections: number
  totalConnections: number
}

/** The pieces of one answer, maybe none; `'quit'` when the connection is to be closed. */
export type Reply = readonly (Buffer | string)[] | 'quit'

/** The largest value, as in memcached's default. */
export const MAX_VALUE_BYTES = 1024 * 1024

/** A line without an end that is longer than this closes the connection. */
export const MAX_LINE_BYTES = 8192

const MAX_KEY_BYTES = 250
const MAX_FLAGS = 2 ** 32 - 1
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

const BAD_FORMAT = ['CLIENT_ERROR bad command line format\r\n']
const ERROR = ['ERROR\r\n']
const NOTHING: Reply = []

type PendingSet = {
  key: string
  flags: number
  expireSeconds: number
  isSilent: boolean
  /** The value and the line end after it, as far as `filled`. */
  data: Buffer
  filled: number
}

/**
 * One connection's side of memcached's text protocol: bytes in as they arrive, answers out one by one.
 *
 * A caller may leave answers for later, so that a slow reader makes no queue.
 */
export class Session {
  readonly #store: Store
  readonly #counters: Counters
  #input: Buffer = Buffer.alloc(0)
  #pendingSet: PendingSet | null = null
  /** Bytes of a refused value that are still to come. */
  #skip = 0

  constructor(store: Store, counters: Counters) {
    this.#store = store
    this.#counters = counters
  }

  /** Takes bytes that arrived. */
  push(chunk: Buffer): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk])
  }

  /** Gives the answer to the next request that is complete, or null until more bytes arrive. */
  next(): Reply | null {
    if (this.#skip > 0) {
      this.#skip -= this.#take(this.#skip).length
      if (this.#skip > 0) return null
    }

    if (this.#pendingSet !== null) return this.#fillPendingSet(this.#pendingSet)

    const end = this.#input.indexOf(LINE_FEED)
    if (end === -1) return this.#input.length > MAX_LINE_BYTES ? 'quit' : null
    const line = this.#take(end + 1)
    const length = line[end - 1] === CARRIAGE_RETURN ? end - 1 : end
    return this.#run(line.toString('latin1', 0, length))
  }

  #take(length: number): Buffer {
    const taken = this.#input.subarray(0, length)
    this.#input = this.#input.subarray(length)
    return taken
  }

  #run(line: string): Reply {
    const [command, ...words] = line.split(' ').filter(Boolean)
    switch (command) {
      case 'get':
        return this.#get(words, false)
      case 'gets':
        return this.#get(words, true)
      case 'set':
        return this.#set(words)
      case 'delete':
        return this.#delete(words)
      case 'version':
        return ['VERSION taut-demo\r\n']
      case 'stats':
        return words.length === 0 ? this.#stats() : ERROR
      case 'quit':
        return 'quit'
      default:
        return ERROR
    }
  }

  #get(keys: string[], withCas: boolean): Reply {
    if (keys.length === 0) return ERROR
    if (keys.some(isTooLong)) return BAD_FORMAT
    const reply: (Buffer | string)[] = []
    for (const key of keys) {
      this.#counters.gets++
      const item = this.#store.get(key)
      if (item === null) continue
      this.#counters.hits++
      const cas = withCas ? ` ${item.cas}` : ''
      reply.push(`VALUE ${key} ${item.flags} ${item.value.length}${cas}\r\n`, item.value, '\r\n')
    }
    reply.push('END\r\n')
    return reply
  }

  #set(words: string[]): Reply {
    const [key, flagsText, expireText, lengthText, option] = words
    if (
      key === undefined ||
      flagsText === undefined ||
      expireText === undefined ||
      lengthText === undefined
    ) {
      return ERROR
    }
    if (words.length > 5) return ERROR

    const flags = parseWhole(flagsText)
    const expireSeconds = parseWhole(expireText)
    const length = parseWhole(lengthText)
    if (isTooLong(key) || expireSeconds === null || !isWithin(flags, MAX_FLAGS)) return BAD_FORMAT
    if (!isWithin(length, Number.MAX_SAFE_INTEGER - 2)) return BAD_FORMAT
    if (length > MAX_VALUE_BYTES) {
      this.#skip = length + 2
      return ['SERVER_ERROR object too large for cache\r\n']
    }

    // Not from Buffer's pool, of which one small value would keep 8 KB alive.
    const data = Buffer.allocUnsafeSlow(length + 2)
    this.#pendingSet = { key, flags, expireSeconds, isSilent: option === 'noreply', data, filled: 0 }
    return NOTHING
  }

  #fillPendingSet(pending: PendingSet): Reply | null {
    const { key, flags, expireSeconds, isSilent, data } = pending
    const arrived = this.#take(data.length - pending.filled)
    pending.filled += arrived.copy(data, pending.filled)
    if (pending.filled < data.length) return null

    this.#pendingSet = null
    const length = data.length - 2
    if (data[length] !== CARRIAGE_RETURN || data[length + 1] !== LINE_FEED) {
      return ['CLIENT_ERROR bad data chunk\r\n']
    }
    this.#counters.sets++
    this.#store.set(key, data.subarray(0, length), flags, expireSeconds)
    return isSilent ? NOTHING : ['STORED\r\n']
  }

  #delete(words: string[]): Reply {
    const [key, option] = words
    if (key === undefined) return ERROR
    if (isTooLong(key)) return BAD_FORMAT
    // An old form has a time here, of which only 0 is left.
    if (words.length > 2 || !['0', 'noreply', undefined].includes(option)) {
      return ['CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n']
    }
    const isDeleted = this.#store.delete(key)
    if (option === 'noreply') return NOTHING
    return [isDeleted ? 'DELETED\r\n' : 'NOT_FOUND\r\n']
  }

  #stats(): Reply {
    const { gets, sets, hits, connections, totalConnections } = this.#counters
    const stats = {
      pid: process.pid,
      uptime: Math.floor(process.uptime()),
      curr_connections: connections,
      total_connections: totalConnections,
      cmd_get: gets,
      cmd_set: sets,
      get_hits: hits,
      get_misses: gets - hits,
      bytes: this.#store.bytes,
      curr_items: this.#store.size,
      evictions: this.#store.evictions,
      limit_maxbytes: this.#store.limitBytes,
    }
    return [...Object.entries(stats).map(([name, value]) => `STAT ${name} ${value}\r\n`), 'END\r\n']
  }
}

const isTooLong = (key: string): boolean => key.length > MAX_KEY_BYTES

const parseWhole = (text: string): number | null => (/^[+-]?\d+$/.test(text) ? Number(text) : null)

const isWithin = (value: number | null, max: number): value is number =>
  value !== null && value >= 0 && value <= max
