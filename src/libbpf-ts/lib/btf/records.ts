import { type BtfKind, kinds } from './types.js'

const headerSize = 24
const recordSize = 12
const magic = 0xeb9f

/** The frame of a .BTF section: where its types and strings lie, and in which byte order. */
export interface BtfFrame {
  readonly littleEndian: boolean
  readonly types: DataView
  readonly strings: Uint8Array
}

/** Gives the frame of a .BTF section; throws a RangeError that says which part of it is out of place. */
export const readFrame = (bytes: Uint8Array): BtfFrame => {
  if (bytes.length < headerSize) {
    throw new RangeError(`BTF header: needs ${headerSize} bytes, ${bytes.length} are there`)
  }

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const littleEndian = view.getUint16(0, true) === magic
  if (!littleEndian && view.getUint16(0, false) !== magic) {
    throw new RangeError('BTF header: the magic number 0xeb9f is missing')
  }

  if (view.getUint8(2) !== 1) {
    throw new RangeError(`BTF header: version ${view.getUint8(2)} is not 1`)
  }

  const word = (offset: number) => view.getUint32(offset, littleEndian)
  const start = word(4)
  if (start < headerSize || start > bytes.length) {
    throw new RangeError(`BTF header: its length ${start} is not in ${headerSize}..${bytes.length}`)
  }

  const part = (what: string, offset: number, length: number) => {
    if (start + offset + length > bytes.length) {
      throw new RangeError(
        `BTF ${what}: ${length} bytes at ${start + offset} pass the end at ${bytes.length}`,
      )
    }

    return bytes.subarray(start + offset, start + offset + length)
  }

  const types = part('types', word(8), word(12))
  const strings = part('strings', word(16), word(20))
  if (strings.length > 0 && strings[strings.length - 1] !== 0) {
    throw new RangeError('BTF strings: the last one has no NUL at its end')
  }

  return { littleEndian, types: new DataView(types.buffer, types.byteOffset, types.byteLength), strings }
}

/** One type record's fixed part: its kind, how many entries follow, and the word that is a size or a type id. */
export interface BtfRecord {
  readonly kind: BtfKind
  readonly nameOffset: number
  readonly entries: number
  readonly flag: boolean
  readonly sizeOrType: number
}

/** Gives the fixed part of the type record at an offset; throws a RangeError when it is cut or of unknown kind. */
export const readRecord = (frame: BtfFrame, offset: number, id: number): BtfRecord => {
  if (offset + recordSize > frame.types.byteLength) {
    throw new RangeError(`BTF type ${id}: cut off at ${offset} of ${frame.types.byteLength} bytes of types`)
  }

  const info = frame.types.getUint32(offset + 4, frame.littleEndian)
  const number = (info >>> 24) & 0x1f
  const kind = kinds[number]
  if (kind === undefined || kind === 'void') {
    throw new RangeError(`BTF type ${id}: unknown kind ${number} at ${offset}`)
  }

  return {
    kind,
    nameOffset: frame.types.getUint32(offset, frame.littleEndian),
    entries: info & 0xffff,
    flag: info >>> 31 === 1,
    sizeOrType: frame.types.getUint32(offset + 8, frame.littleEndian),
  }
}

const entrySizes: Partial<Record<BtfKind, number>> = {
  struct: 12,
  union: 12,
  enum: 8,
  enum64: 12,
  func_proto: 8,
  datasec: 12,
}

const tailSizes: Partial<Record<BtfKind, number>> = { int: 4, array: 12, var: 4, decl_tag: 4 }

/** Gives the bytes that a record takes up, its entries included. */
export const sizeOfRecord = (record: BtfRecord): number =>
  recordSize + (tailSizes[record.kind] ?? 0) + record.entries * (entrySizes[record.kind] ?? 0)

/** Gives the reader of a record's words after its fixed part: `at(entry, word)`, unsigned. */
export const entryReader = (frame: BtfFrame, offset: number, kind: BtfKind) => {
  const size = entrySizes[kind] ?? 0
  return (entry: number, word: number) =>
    frame.types.getUint32(offset + recordSize + entry * size + word * 4, frame.littleEndian)
}
