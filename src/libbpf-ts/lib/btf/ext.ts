import type { Btf } from './btf.js'

/** A function of an object: the section that its code lies in, where it begins there in bytes, and its type id. */
export interface BtfFunction {
  readonly name: string
  readonly section: string
  readonly offset: number
  readonly type: number
}

/**
 * Gives the functions that a .BTF.ext section lists, section by section; those outside `.text` are the programs.
 * Throws a RangeError with what is wrong and where.
 */
export const readFunctions = (ext: Uint8Array, btf: Btf): BtfFunction[] => {
  const view = new DataView(ext.buffer, ext.byteOffset, ext.byteLength)
  const word = (offset: number): number => {
    if (offset + 4 > ext.length) {
      throw new RangeError(`BTF.ext: word at ${offset} passes the end at ${ext.length}`)
    }

    return view.getUint32(offset, btf.littleEndian)
  }

  if (word(0) >>> 16 !== 0xeb9f && (word(0) & 0xffff) !== 0xeb9f) {
    throw new RangeError('BTF.ext header: the magic number 0xeb9f is missing')
  }

  const start = word(4) + word(8)
  const end = start + word(12)
  if (end > ext.length) {
    throw new RangeError(`BTF.ext functions: end at ${end}, past the end at ${ext.length}`)
  }

  if (start === end) {
    return []
  }

  const recordSize = word(start)
  if (recordSize < 8) {
    throw new RangeError(`BTF.ext functions: records of ${recordSize} bytes are too small`)
  }

  const functions: BtfFunction[] = []
  let offset = start + 4
  while (offset < end) {
    const section = btf.string(word(offset))
    const count = word(offset + 4)
    offset += 8
    if (offset + count * recordSize > end) {
      throw new RangeError(`BTF.ext functions: those of ${section} end past ${end}`)
    }

    for (let index = 0; index < count; index++, offset += recordSize) {
      const type = btf.type(word(offset + 4))
      functions.push({ name: type.name, section, offset: word(offset), type: type.id })
    }
  }

  return functions
}
