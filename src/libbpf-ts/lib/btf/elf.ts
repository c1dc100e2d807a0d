const pastEnd = (what: string, end: number, length: number) =>
  new RangeError(`ELF ${what}: ends at ${end}, past the ${length} bytes of the object`)

const big = (view: DataView, offset: number, littleEndian: boolean): number => {
  const value = view.getBigUint64(offset, littleEndian)
  if (value > 0xffff_ffff_ffffn) {
    throw new RangeError(`ELF: ${value} at ${offset} is no offset or size in a file`)
  }

  return Number(value)
}

interface Section {
  readonly name: number
  readonly type: number
  readonly offset: number
  readonly size: number
}

const noBits = 8

/** Reads the section table; the two widths of ELF differ in where each field lies. */
const readSections = (view: DataView): { sections: Section[]; namesIndex: number } => {
  const wide = view.getUint8(4) === 2
  const littleEndian = view.getUint8(5) === 1
  const headerSize = wide ? 64 : 52
  if (view.byteLength < headerSize) {
    throw pastEnd('header', headerSize, view.byteLength)
  }

  const half = (offset: number) => view.getUint16(offset, littleEndian)
  const word = (offset: number) => view.getUint32(offset, littleEndian)
  const address = (offset: number) => (wide ? big(view, offset, littleEndian) : word(offset))
  const table = address(wide ? 0x28 : 0x20)
  const entrySize = half(wide ? 0x3a : 0x2e)
  if (table === 0) {
    return { sections: [], namesIndex: 0 }
  }

  if (entrySize < (wide ? 64 : 40)) {
    throw new RangeError(`ELF section table: entries of ${entrySize} bytes are too small`)
  }

  const readSection = (index: number): Section => {
    const at = table + index * entrySize
    if (at + entrySize > view.byteLength) {
      throw pastEnd(`section ${index}`, at + entrySize, view.byteLength)
    }

    return {
      name: word(at),
      type: word(at + 4),
      offset: address(at + (wide ? 0x18 : 0x10)),
      size: address(at + (wide ? 0x20 : 0x14)),
    }
  }

  // An object with 65280 sections or more keeps both numbers in its first section.
  const first = readSection(0)
  const count = half(wide ? 0x3c : 0x30) || first.size
  const namesIndex = half(wide ? 0x3e : 0x32)
  const sections: Section[] = []
  for (let index = 0; index < count; index++) {
    sections.push(readSection(index))
  }

  const link = word(table + (wide ? 0x28 : 0x18))
  return { sections, namesIndex: namesIndex === 0xffff ? link : namesIndex }
}

const contentOf = (elf: Uint8Array, section: Section, what: string): Uint8Array => {
  if (section.type === noBits) {
    throw new RangeError(`ELF ${what}: has no content in the file`)
  }

  if (section.offset + section.size > elf.length) {
    throw pastEnd(what, section.offset + section.size, elf.length)
  }

  return elf.subarray(section.offset, section.offset + section.size)
}

/**
 * Gives the bytes of a section of an ELF object, 32 or 64 bits, either byte order, without copying them;
 * undefined when there is no section of that name. Throws a RangeError when the object is malformed.
 */
export const extractSection = (elf: Uint8Array, sectionName: string): Uint8Array | undefined => {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength)
  if (elf.length < 52 || view.getUint32(0) !== 0x7f454c46) {
    throw new RangeError('ELF header: the magic number is missing')
  }

  if (![1, 2].includes(view.getUint8(4)) || ![1, 2].includes(view.getUint8(5))) {
    throw new RangeError('ELF header: unknown class or byte order')
  }

  const { sections, namesIndex } = readSections(view)
  const namesSection = sections[namesIndex]
  const names = namesSection === undefined ? new Uint8Array() : contentOf(elf, namesSection, 'section names')
  const wanted = new TextEncoder().encode(`${sectionName}\0`)
  const found = sections.find(({ name }) => wanted.every((byte, index) => names[name + index] === byte))
  return found === undefined ? undefined : contentOf(elf, found, sectionName)
}

/**
 * Gives the bytes of the .BTF section of an ELF object, without copying them.
 * Throws a RangeError when the object is malformed and an Error when it has no such section.
 */
export const extractBtf = (elf: Uint8Array): Uint8Array => {
  const btf = extractSection(elf, '.BTF')
  if (btf === undefined) {
    throw new Error('the ELF object has no .BTF section; compile it with clang -g')
  }

  return btf
}
