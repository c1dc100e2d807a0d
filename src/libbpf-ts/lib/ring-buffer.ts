import { Batch } from './batch.js'
import type { BpfMap } from './map.js'
import { native, type RingHandle } from './native.js'
import { checkOptions } from './options.js'
import { findPlace } from './place.js'

/** How to read a ring buffer. */
export interface RingBufferOptions {
  /** Bytes read at once, 128 KiB by default; grows when a single record needs more. */
  readonly batchBytes?: number
}

/** How full a ring buffer map is. */
export interface RingUsage {
  readonly map: BpfMap
  readonly sizeBytes: number
  /** Bytes not read yet, the frames around records and what is being written included. */
  readonly unreadBytes: number
}

type Waiter = (result: IteratorResult<Batch, undefined>) => void

const largestBatch = 2 ** 30

/** Milliseconds that batches may follow each other before the rest of the event loop has its turn. */
const longestTurn = 0.5

/** Bytes of a record with as much as one number in it; batches of still smaller ones end early. */
const smallestFrame = 16

// Ring buffers that call back, or that somebody waits for, live without anybody holding them.
const reading = new Set<object>()

const checkBatchBytes = (batchBytes: unknown): number => {
  if (typeof batchBytes !== 'number') {
    throw new TypeError('batchBytes must be a number')
  }

  if (!Number.isInteger(batchBytes) || batchBytes < 64 || batchBytes > largestBatch) {
    throw new RangeError(`batchBytes must be an integer from 64 to ${largestBatch}`)
  }

  return Math.ceil(batchBytes / 16) * 16
}

/**
 * The reader of one or several ring buffer maps, which can have one reader only. Batches come by `onBatch`, by
 * `for await`, or by `drain`. With `for await` the next batch is read when it is asked for, so a slow consumer holds
 * up nothing but the ring buffer: when that is full the kernel's bpf_ringbuf_reserve or bpf_ringbuf_output fails, and
 * the program counts what it had to drop, in a variable or a map of its own. Nothing else counts it.
 */
export class RingBuffer implements AsyncIterable<Batch>, Disposable {
  readonly #maps: readonly BpfMap[]
  readonly #handle: RingHandle
  #buffer: Uint8Array
  readonly #offsets: Uint32Array
  /** The map to look at first, so that a busy one doesn't hide the others. */
  #turn = 0
  #callback: ((batch: Batch) => void) | undefined
  #iterating = false
  #polling = false
  #turnEnd = 0
  #waiters: Waiter[] = []
  #alive: boolean | undefined

  /** Takes loaded maps of the type ringbuf; throws a TypeError or RangeError, or a BpfError. */
  constructor(maps: BpfMap | readonly BpfMap[], options: RingBufferOptions = {}) {
    checkOptions(options, 'options', ['batchBytes'])
    this.#buffer = new Uint8Array(checkBatchBytes(options.batchBytes ?? 128 * 1024))
    this.#offsets = new Uint32Array(this.#buffer.length / smallestFrame + 1)
    this.#maps = Array.isArray(maps) ? [...maps] : [maps]
    const places = this.#maps.map(map => findPlace(map, 'maps'))
    // Weak, since the addon holds the callback for as long as the ring buffer is open.
    const self = new WeakRef(this)
    const onReadable = () => {
      const ring = self.deref()
      if (ring !== undefined) {
        ring.#onReadable()
      }
    }

    this.#handle = native.ringOpen(
      places.map(place => place.object),
      places.map(place => place.index),
      onReadable,
    )
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return native.isClosed(this.#handle)
  }

  /**
   * Calls back with every batch from now on, within half a millisecond for as many as there are. Does not keep the
   * process alive by itself, see `ref`. Throws an Error when batches are read already.
   */
  onBatch(callback: (batch: Batch) => void): void {
    if (typeof callback !== 'function') {
      throw new TypeError('callback must be a function')
    }

    this.#claim()
    native.ringStart(this.#handle)
    this.#polling = true
    this.#callback = callback
    reading.add(this)
  }

  /** Reads what is there now, as much as fits one batch, of one map; undefined when there is nothing. */
  drain(): Batch | undefined {
    for (let tries = 0; tries < this.#maps.length; tries++) {
      const index = this.#turn
      this.#turn = (this.#turn + 1) % this.#maps.length
      const batch = this.#drainMap(index)
      if (batch !== undefined) {
        return batch
      }
    }

    return undefined
  }

  /**
   * Gives batch after batch, each when it is asked for; ends when the ring buffer is closed, which leaving the loop
   * does not do. Waiting for a batch keeps the process alive, unless `unref` was called.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Batch, undefined, undefined> {
    this.#claim()
    this.#iterating = true
    let ended = false
    const iterator: AsyncIterableIterator<Batch, undefined, undefined> = {
      next: async () => (ended ? { done: true, value: undefined } : this.#next()),
      return: async () => {
        // Only once: by a second time another loop may have begun.
        if (!ended) {
          ended = true
          this.#stopIterating()
        }

        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** Gives how full each map is; a full one makes the kernel drop records. */
  available(): RingUsage[] {
    return this.#maps.map((map, index) => ({
      map,
      sizeBytes: map.maxEntries,
      unreadBytes: native.ringUnread(this.#handle, index),
    }))
  }

  /** Keeps the process alive while batches are read. */
  ref(): this {
    this.#alive = true
    native.ringRef(this.#handle, true)
    return this
  }

  /** Lets the process end while batches are read or waited for. */
  unref(): this {
    this.#alive = false
    native.ringRef(this.#handle, false)
    return this
  }

  /** Stops reading and gives the memory back; ends a loop over the batches; harmless when done again. */
  close(): void {
    native.closeHandle(this.#handle)
    this.#callback = undefined
    this.#endWaiting()
    reading.delete(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #claim(): void {
    if (this.#callback !== undefined || this.#iterating) {
      throw new Error('The batches of this ring buffer are read already')
    }
  }

  #drainMap(index: number): Batch | undefined {
    const map = this.#maps[index]
    let count = native.ringDrain(this.#handle, index, this.#buffer, this.#offsets)
    if (count < 0) {
      this.#buffer = new Uint8Array(-count)
      count = native.ringDrain(this.#handle, index, this.#buffer, this.#offsets)
    }

    return map === undefined || count === 0 ? undefined : new Batch(map, this.#buffer, this.#offsets, count)
  }

  #next(): Promise<IteratorResult<Batch, undefined>> {
    if (this.closed) {
      return Promise.resolve({ done: true, value: undefined })
    }

    if (this.#waiters.length === 0 && performance.now() < this.#turnEnd) {
      const batch = this.drain()
      if (batch !== undefined) {
        return Promise.resolve({ done: false, value: batch })
      }
    }

    if (!this.#polling) {
      native.ringStart(this.#handle)
      this.#polling = true
      reading.add(this)
    }

    this.#keepAlive(true)
    return new Promise(resolve => {
      this.#waiters.push(resolve)
    })
  }

  #onReadable(): void {
    this.#turnEnd = performance.now() + longestTurn
    if (this.#callback !== undefined) {
      this.#callBack()
    } else if (this.#waiters.length === 0) {
      // Nobody has asked for the next batch yet: polling waits for them, and the kernel drops what doesn't fit.
      this.#stopPolling()
    } else {
      const batch = this.drain()
      if (batch !== undefined) {
        this.#waiters.shift()?.({ done: false, value: batch })
        this.#keepAlive(this.#waiters.length > 0)
      }
    }
  }

  #callBack(): void {
    do {
      const batch = this.drain()
      if (batch === undefined) {
        return
      }

      this.#callback?.(batch)
    } while (this.#callback !== undefined && performance.now() < this.#turnEnd)
  }

  #stopPolling(): void {
    native.ringStop(this.#handle)
    this.#polling = false
    reading.delete(this)
  }

  #stopIterating(): void {
    this.#iterating = false
    this.#endWaiting()
    if (!this.closed) {
      this.#stopPolling()
      this.#keepAlive(false)
    }
  }

  #keepAlive(alive: boolean): void {
    if (this.#alive === undefined) {
      native.ringRef(this.#handle, alive)
    }
  }

  #endWaiting(): void {
    for (const resolve of this.#waiters.splice(0)) {
      resolve({ done: true, value: undefined })
    }
  }
}
