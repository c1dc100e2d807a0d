import type { BpfMap } from './map.js'

/**
 * Records of one ring buffer map, read in one go, within memory that the next batch is read into: copy what you
 * keep. For hot paths, go over `offsets` up to `count` with typed arrays of your own over `buffer`. Each record is
 * framed as the kernel has it: its length in 32 bits, 32 bits without meaning, the record, padding to 8 bytes.
 */
export class Batch implements Iterable<Uint8Array> {
  /** The map that the records came by. */
  readonly map: BpfMap
  /** How many records there are. */
  readonly count: number
  /** Where each record begins in `buffer`, a multiple of 8; only the first `count` are of this batch. */
  readonly offsets: Uint32Array
  /** The memory of this batch; the same one each time, unless a single record needed a larger one. */
  readonly buffer: ArrayBufferLike

  readonly #bytes: Uint8Array
  #words: Uint32Array | undefined

  /** Ring buffers make their batches; see `RingBuffer`. */
  constructor(map: BpfMap, bytes: Uint8Array, offsets: Uint32Array, count: number) {
    this.map = map
    this.count = count
    this.offsets = offsets
    this.buffer = bytes.buffer
    this.#bytes = bytes
  }

  /** Gives the length in bytes of the record at an index below `count`; throws a RangeError for any other. */
  length(index: number): number {
    this.#words ??= new Uint32Array(this.buffer)
    return this.#words[(this.#offset(index) >> 2) - 2] ?? 0
  }

  /** Gives the bytes of the record at an index below `count`, as a view; throws a RangeError for any other. */
  record(index: number): Uint8Array {
    const offset = this.#offset(index)
    return this.#bytes.subarray(offset, offset + this.length(index))
  }

  /** Gives the bytes of all frames, as a view. */
  get frames(): Uint8Array {
    return this.#bytes.subarray(0, this.offsets[this.count])
  }

  /** Gives the bytes of every record, as views. */
  *[Symbol.iterator](): Generator<Uint8Array, void, undefined> {
    for (let index = 0; index < this.count; index++) {
      yield this.record(index)
    }
  }

  #offset(index: number): number {
    const offset = Number.isInteger(index) && index < this.count ? this.offsets[index] : undefined
    if (offset === undefined) {
      throw new RangeError(`index must be an integer from 0 to ${this.count - 1}`)
    }

    return offset
  }
}
