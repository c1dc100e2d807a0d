import type { Btf } from './btf/index.js'
import { type Codec, createCodec, createPerCpuCodec, type Value } from './codec.js'
import { type RawEntries, readEntries } from './entries.js'
import { type MapDescription, type MapInfo, native, type ObjectHandle } from './native.js'
import { rememberPlace } from './place.js'

/** How `set` treats a key that is there already: any, only a new one, only an existing one. */
export type UpdateMode = 'any' | 'create' | 'replace'

const updateFlags: Readonly<Record<UpdateMode, number>> = { any: 0, create: 1, replace: 2 }

const readUpdateFlags = (mode: UpdateMode): number => {
  if (typeof mode !== 'string' || !Object.hasOwn(updateFlags, mode)) {
    throw new TypeError(`mode must be 'any', 'create' or 'replace'`)
  }

  return updateFlags[mode]
}

/**
 * A map of an object. Keys and values are plain JavaScript as their BTF types say, 64-bit integers as bigints;
 * where the object has no type for them, and in the methods named after bytes, they are Uint8Arrays.
 * The value of a per-CPU map is an array with one element for each possible CPU.
 */
export class BpfMap<Key = Value, V = Value> {
  /** As libbpf names it; the ones of global data are called like `name.bss`. */
  readonly name: string
  /** As libbpf names it: `hash`, `percpu_array`, `ringbuf`. */
  readonly type: string
  /** Bytes in a key. */
  readonly keySize: number
  /** Bytes in a value; on one CPU, for a per-CPU map. */
  readonly valueSize: number
  /** Bytes that one look-up gives: `valueSize`, or one of 8-byte rounded size for each possible CPU. */
  readonly valueStride: number
  /** Whether the map holds global data or another thing that the compiler made. */
  readonly internal: boolean
  /** The type of the value within the object's BTF, 0 when unknown. */
  readonly valueTypeId: number

  readonly #object: ObjectHandle
  readonly #index: number
  readonly #mmapable: boolean
  readonly #key: Codec
  readonly #value: Codec
  #maxEntries: number
  #memory: Uint8Array | undefined

  /** Objects make their maps; see `BpfObject.map`. */
  constructor(object: ObjectHandle, index: number, btf: Btf | undefined) {
    const description: MapDescription = native.mapDescribe(object, index)
    this.name = description.name
    this.type = description.type
    this.keySize = description.keySize
    this.valueSize = description.valueSize
    this.valueStride = description.valueStride
    this.internal = description.internal
    this.valueTypeId = description.valueTypeId
    this.#object = object
    this.#index = index
    rememberPlace(this, { object, index })
    this.#mmapable = description.mmapable
    this.#maxEntries = description.maxEntries
    this.#key = createCodec(btf, description.keyTypeId, this.keySize)
    const value = createCodec(btf, description.valueTypeId, this.valueSize)
    this.#value =
      this.valueStride > this.valueSize || /percpu/.test(this.type)
        ? createPerCpuCodec(value, this.valueSize, this.valueStride)
        : value
  }

  /** How many elements there is room for; bytes, for a ring buffer. */
  get maxEntries(): number {
    return this.#maxEntries
  }

  /** The C name of the key's type, undefined where only bytes are known. */
  get keyType(): string | undefined {
    return this.#key.typeName
  }

  /** The C name of the value's type, undefined where only bytes are known. */
  get valueType(): string | undefined {
    return this.#value.typeName
  }

  /**
   * Sets the room before the load: elements, or bytes for a ring buffer. Throws a RangeError or BpfError, and a
   * TypeError for global data.
   */
  setMaxEntries(maxEntries: number): void {
    native.mapSetMaxEntries(this.#object, this.#index, maxEntries)
    // libbpf rounds the size of a ring buffer.
    this.#maxEntries = native.mapDescribe(this.#object, this.#index).maxEntries
  }

  /** Gives the value of a key, undefined when there is none; throws a BpfError. */
  get(key: Key): V | undefined {
    const bytes = this.getBytes(this.#key.encode(key, 'key'))
    return bytes === undefined ? undefined : (this.#value.decode(bytes) as V)
  }

  /** Sets the value of a key; throws a BpfError, as EEXIST or ENOENT when the mode forbids it, E2BIG when full. */
  set(key: Key, value: V, mode: UpdateMode = 'any'): void {
    this.setBytes(this.#key.encode(key, 'key'), this.#value.encode(value, 'value'), mode)
  }

  /** Removes a key and tells whether it was there; throws a BpfError, as EINVAL for arrays. */
  delete(key: Key): boolean {
    return this.deleteBytes(this.#key.encode(key, 'key'))
  }

  /** Tells whether a key is there. */
  has(key: Key): boolean {
    return this.getBytes(this.#key.encode(key, 'key')) !== undefined
  }

  /** Gives the `valueStride` bytes of a key's value, written into `into` if given; undefined when there is none. */
  getBytes(key: Uint8Array, into: Uint8Array = new Uint8Array(this.valueStride)): Uint8Array | undefined {
    return native.mapGet(this.#object, this.#index, key, into) ? into : undefined
  }

  /** Sets the `valueStride` bytes of a key's value. */
  setBytes(key: Uint8Array, value: Uint8Array, mode: UpdateMode = 'any'): void {
    native.mapSet(this.#object, this.#index, key, value, readUpdateFlags(mode))
  }

  /** Removes a key given as bytes and tells whether it was there. */
  deleteBytes(key: Uint8Array): boolean {
    return native.mapDelete(this.#object, this.#index, key)
  }

  /**
   * Reads all elements, in batches where the kernel can, else one by one. Elements added or removed meanwhile may
   * be in it or not. Give the result of the last time to use its memory again.
   */
  readAll(reuse?: RawEntries): RawEntries {
    return readEntries(this.#object, this.#index, reuse)
  }

  /** Gives the raw keys and values of all elements, as views into one snapshot. */
  *entriesRaw(): Generator<[key: Uint8Array, value: Uint8Array], void, undefined> {
    const { count, keys, values } = this.readAll()
    for (let index = 0; index < count; index++) {
      yield [
        keys.subarray(index * this.keySize, (index + 1) * this.keySize),
        values.subarray(index * this.valueStride, (index + 1) * this.valueStride),
      ]
    }
  }

  /** Gives all keys and values, of a snapshot made when the iteration begins. */
  *entries(): Generator<[key: Key, value: V], void, undefined> {
    for (const [key, value] of this.entriesRaw()) {
      yield [this.#key.decode(key) as Key, this.#value.decode(value) as V]
    }
  }

  /** Gives all keys, of a snapshot made when the iteration begins. */
  *keys(): Generator<Key, void, undefined> {
    for (const [key] of this.entriesRaw()) {
      yield this.#key.decode(key) as Key
    }
  }

  /** Gives all values, of a snapshot made when the iteration begins. */
  *values(): Generator<V, void, undefined> {
    for (const [, value] of this.entriesRaw()) {
      yield this.#value.decode(value) as V
    }
  }

  /** Gives all keys and values. */
  [Symbol.iterator](): Generator<[key: Key, value: V], void, undefined> {
    return this.entries()
  }

  /**
   * Gives the map's own memory, read and write, of an array with BPF_F_MMAPABLE: elements at every `valueSize`
   * rounded up to 8 bytes. It stays readable when the object is closed. Throws a TypeError for other maps.
   */
  mmap(): Uint8Array {
    if (!this.#mmapable) {
      throw new TypeError(`The map ${this.name} is not an array with the flag BPF_F_MMAPABLE`)
    }

    if (this.#memory === undefined || native.isClosed(this.#object)) {
      this.#memory = new Uint8Array(native.mapMmap(this.#object, this.#index))
    }

    return this.#memory
  }

  /** Gives what the kernel tells of the loaded map, its id among it. */
  info(): MapInfo {
    return native.mapInfo(this.#object, this.#index)
  }
}
