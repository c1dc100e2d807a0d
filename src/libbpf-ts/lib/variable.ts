import { type Btf, type BtfValue, type BtfVariable, decode, encode, nameOf } from './btf/index.js'
import type { BpfMap } from './map.js'
import { native } from './native.js'
import { findPlace } from './place.js'

/** A global variable of an object: `const volatile` configuration, or state that the programs share. */
export class Variable<V = BtfValue> {
  readonly name: string
  /** The data section that it lies in, as `.rodata` or `.bss`. */
  readonly section: string
  /** Bytes. */
  readonly size: number
  /** The C name of its type. */
  readonly type: string
  /** Whether it is fixed once the object is loaded. */
  readonly readOnly: boolean

  readonly #map: BpfMap
  readonly #btf: Btf
  readonly #variable: BtfVariable
  readonly #isLoaded: () => boolean

  /** Objects make their variables; see `BpfObject.variable`. */
  constructor(map: BpfMap, section: string, btf: Btf, variable: BtfVariable, isLoaded: () => boolean) {
    this.name = variable.name
    this.section = section
    this.size = variable.size
    this.type = nameOf(btf, variable.type)
    this.readOnly = section.startsWith('.rodata')
    this.#map = map
    this.#btf = btf
    this.#variable = variable
    this.#isLoaded = isLoaded
  }

  /**
   * The variable's bytes. Once loaded, those of `.data` and `.bss` are the memory that the programs see, and stay
   * readable when the object is closed; before the load, and for read-only variables, they are a copy.
   */
  get bytes(): Uint8Array {
    const { offset, size } = this.#variable
    return this.#section().subarray(offset, offset + size)
  }

  /** Gives the value: before the load the one it starts with, then what it is now. */
  get(): V {
    return decode(this.#btf, this.#variable.type, this.bytes) as V
  }

  /**
   * Sets the value: before the load the one it starts with, then at once for the running programs.
   * Throws a TypeError when it is read-only and loaded, a TypeError or RangeError when the value does not fit.
   */
  set(value: V): void {
    const { offset, size, type } = this.#variable
    const bytes = new Uint8Array(size)
    encode(this.#btf, type, value, bytes, 0, this.name)
    if (!this.#isLoaded()) {
      const place = findPlace(this.#map, 'map')
      native.mapWriteInitialValue(place.object, place.index, offset, bytes)
    } else if (this.readOnly) {
      throw new TypeError(`The variable ${this.name} is read-only once the object is loaded`)
    } else {
      this.bytes.set(bytes)
    }
  }

  #section(): Uint8Array {
    const { object, index } = findPlace(this.#map, 'map')
    if (this.#isLoaded() && !this.readOnly) {
      return this.#map.mmap()
    }

    const bytes = this.#isLoaded()
      ? this.#map.getBytes(new Uint8Array(this.#map.keySize))
      : native.mapInitialValue(object, index)
    if (bytes === undefined) {
      throw new Error(`The section ${this.section} of ${this.name} has no memory`)
    }

    return bytes
  }
}
