import { buildType } from './build.js'
import { type BtfFrame, readFrame, readRecord, sizeOfRecord } from './records.js'
import type { BtfKind, BtfType, BtfTypeOf, BtfVariable } from './types.js'

// The kernel gives up on longer chains too; real ones have a handful of links.
const longestChain = 64

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const utf8Encoder = new TextEncoder()
const voidType: BtfType = { kind: 'void', id: 0, name: '' }

const findOffsets = (frame: BtfFrame, firstId: number): Uint32Array => {
  const offsets: number[] = []
  let offset = 0
  while (offset < frame.types.byteLength) {
    const id = firstId + offsets.length
    const end = offset + sizeOfRecord(readRecord(frame, offset, id))
    if (end > frame.types.byteLength) {
      throw new RangeError(
        `BTF type ${id}: its entries pass the end of the types at ${frame.types.byteLength}`,
      )
    }

    offsets.push(offset)
    offset = end
  }

  return Uint32Array.from(offsets)
}

/** The types of a .BTF section, built when they are asked for; type id 0 is void. */
export class Btf {
  /** The byte order of the machine that the types describe. */
  readonly littleEndian: boolean
  /** Bytes in a pointer of that machine. */
  readonly pointerSize: 4 | 8
  /** Ids run from 0 to `typeCount - 1`, those of the base included. */
  readonly typeCount: number

  readonly #frame: BtfFrame
  readonly #base: Btf | undefined
  readonly #firstId: number
  readonly #firstString: number
  readonly #offsets: Uint32Array
  readonly #types = new Map<number, BtfType>()

  private constructor(frame: BtfFrame, base: Btf | undefined) {
    this.#frame = frame
    this.#base = base
    this.littleEndian = frame.littleEndian
    this.#firstId = base?.typeCount ?? 1
    this.#firstString = base === undefined ? 0 : base.#firstString + base.#frame.strings.length
    this.#offsets = findOffsets(frame, this.#firstId)
    this.typeCount = this.#firstId + this.#offsets.length
    this.pointerSize = base?.pointerSize ?? this.#findPointerSize()
  }

  /**
   * Gives the types in the bytes of a .BTF section, on top of those in `base` for split BTF.
   * The bytes are kept, not copied. Throws a RangeError with what is wrong and where.
   */
  static parse(bytes: Uint8Array, base?: Btf): Btf {
    const frame = readFrame(bytes)
    if (base !== undefined && base.littleEndian !== frame.littleEndian) {
      throw new RangeError('BTF header: its byte order differs from that of the base')
    }

    return new Btf(frame, base)
  }

  /** Gives the type with an id; throws a RangeError when there is none or its record is malformed. */
  type(id: number): BtfType {
    if (!Number.isInteger(id) || id < 0 || id >= this.typeCount) {
      throw new RangeError(`BTF type ${id}: the ids end at ${this.typeCount - 1}`)
    }

    if (id === 0) {
      return voidType
    }

    if (this.#base !== undefined && id < this.#firstId) {
      return this.#base.type(id)
    }

    const known = this.#types.get(id)
    if (known !== undefined) {
      return known
    }

    const built = buildType(this.#frame, this.#offsetOf(id), id, offset => this.#nameAt(offset, `type ${id}`))
    this.#types.set(id, built)
    return built
  }

  /** Gives every type by ascending id, those of the base first, void left out; throws like `type`. */
  *types(): Generator<BtfType, void, undefined> {
    for (let id = 1; id < this.typeCount; id++) {
      yield this.type(id)
    }
  }

  /** Gives the first type of that kind and name, or undefined; throws a RangeError on a malformed record. */
  findByName<Kind extends BtfKind>(kind: Kind, name: string): BtfTypeOf<Kind> | undefined {
    const inBase = this.#base?.findByName(kind, name)
    if (inBase !== undefined) {
      return inBase
    }

    // A scan, not an index: on a kernel's BTF an index takes 20 MB and longer to build than many scans.
    const wanted = utf8Encoder.encode(`${name}\0`)
    for (const [index, offset] of this.#offsets.entries()) {
      const id = this.#firstId + index
      const record = readRecord(this.#frame, offset, id)
      if (record.kind === kind && this.#isNamed(record.nameOffset, wanted)) {
        return this.type(id) as BtfTypeOf<Kind>
      }
    }

    return undefined
  }

  /** Gives the type behind typedefs, const, volatile, restrict and type tags; throws a RangeError on a cycle. */
  resolve(id: number): BtfType {
    let type = this.type(id)
    for (let links = 0; links < longestChain; links++) {
      switch (type.kind) {
        case 'typedef':
        case 'volatile':
        case 'const':
        case 'restrict':
        case 'type_tag':
          type = this.type(type.type)
          break
        default:
          return type
      }
    }

    throw new RangeError(`BTF type ${id}: its chain of type names has no end`)
  }

  /** Gives the size of a type in bytes; throws a RangeError when it has none (void, a function, a forward). */
  sizeOf(id: number): number {
    let factor = 1
    let current = id
    for (let links = 0; links < longestChain; links++) {
      const type = this.resolve(current)
      switch (type.kind) {
        case 'array':
          factor *= type.count
          current = type.type
          break
        case 'var':
          current = type.type
          break
        case 'ptr':
          return this.#checkSize(id, factor * this.pointerSize)
        case 'int':
        case 'struct':
        case 'union':
        case 'enum':
        case 'enum64':
        case 'float':
        case 'datasec':
          return this.#checkSize(id, factor * type.size)
        default:
          throw new RangeError(`BTF type ${id}: ${`${type.kind} ${type.name}`.trim()} has no size`)
      }
    }

    throw new RangeError(`BTF type ${id}: its chain of arrays has no end`)
  }

  /**
   * Gives the variables of a data section such as `.rodata`, or undefined when there is no such section.
   * Their offsets are set by libbpf: in an object straight from clang all are 0, in a linked one they are right.
   * Throws a RangeError when an entry is not a variable or lies outside the section.
   */
  datasec(name: string): { name: string; size: number; variables: BtfVariable[] } | undefined {
    const section = this.findByName('datasec', name)
    if (section === undefined) {
      return undefined
    }

    const variables = section.variables.map(({ type, offset, size }) => {
      const variable = this.type(type)
      if (variable.kind !== 'var') {
        throw new RangeError(`BTF section ${name}: type ${type} is a ${variable.kind}, not a variable`)
      }

      if (section.size > 0 && offset + size > section.size) {
        throw new RangeError(`BTF section ${name}: ${variable.name} passes its end at ${section.size}`)
      }

      return { name: variable.name, type: variable.type, offset, size, linkage: variable.linkage }
    })
    return { name, size: section.size, variables }
  }

  /** Gives the string at an offset of the strings; throws a RangeError when it lies outside of them. */
  string(offset: number): string {
    return this.#nameAt(offset, 'strings')
  }

  #checkSize(id: number, size: number): number {
    if (!(size <= 0xffffffff)) {
      throw new RangeError(`BTF type ${id}: its size of ${size} bytes is beyond 32 bits`)
    }

    return size
  }

  #offsetOf(id: number): number {
    const offset = this.#offsets[id - this.#firstId]
    if (offset === undefined) {
      throw new RangeError(`BTF type ${id}: the ids end at ${this.typeCount - 1}`)
    }

    return offset
  }

  #nameAt(offset: number, owner: string): string {
    if (offset === 0) {
      return ''
    }

    if (this.#base !== undefined && offset < this.#firstString) {
      return this.#base.#nameAt(offset, owner)
    }

    const { strings } = this.#frame
    const start = offset - this.#firstString
    if (start >= strings.length) {
      throw new RangeError(`BTF ${owner}: its name at ${offset} passes the strings' end`)
    }

    return utf8.decode(strings.subarray(start, strings.indexOf(0, start)))
  }

  #isNamed(offset: number, wanted: Uint8Array): boolean {
    if (this.#base !== undefined && offset < this.#firstString) {
      return this.#base.#isNamed(offset, wanted)
    }

    const start = offset - this.#firstString
    return wanted.every((byte, index) => (this.#frame.strings[start + index] ?? 0) === byte)
  }

  // BTF does not say it; like libbpf, take the size of `long`, which equals that of a pointer on Linux.
  #findPointerSize(): 4 | 8 {
    for (const [index, offset] of this.#offsets.entries()) {
      const id = this.#firstId + index
      const { kind, nameOffset, sizeOrType } = readRecord(this.#frame, offset, id)
      if (kind === 'int' && (sizeOrType === 4 || sizeOrType === 8) && this.#isLong(nameOffset, id)) {
        return sizeOrType
      }
    }

    return 8
  }

  #isLong(nameOffset: number, id: number): boolean {
    return ['long', 'long int', 'unsigned long', 'long unsigned int'].includes(
      this.#nameAt(nameOffset, `type ${id}`),
    )
  }
}
