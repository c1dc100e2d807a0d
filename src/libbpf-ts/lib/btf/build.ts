import { type BtfFrame, type BtfRecord, entryReader, readRecord } from './records.js'
import type { BtfLinkage, BtfMember, BtfType } from './types.js'

const linkages: readonly BtfLinkage[] = ['static', 'global', 'extern']

const readLinkage = (number: number, id: number): BtfLinkage => {
  const linkage = linkages[number]
  if (linkage === undefined) {
    throw new RangeError(`BTF type ${id}: unknown linkage ${number}`)
  }

  return linkage
}

const count = <Entry>(entries: number, build: (entry: number) => Entry): Entry[] =>
  Array.from({ length: entries }, (_, entry) => build(entry))

type Entry = (entry: number, word: number) => number
type NameAt = (offset: number) => string

// A set flag means that the upper byte of a member's offset is the width of a bit-field.
const buildMembers = ({ entries, flag }: BtfRecord, at: Entry, nameAt: NameAt): BtfMember[] =>
  count(entries, entry => {
    const offset = at(entry, 2)
    return {
      name: nameAt(at(entry, 0)),
      type: at(entry, 1),
      bitOffset: flag ? offset & 0xffffff : offset,
      bits: flag ? offset >>> 24 : 0,
    }
  })

const buildInt = (id: number, name: string, size: number, word: number): BtfType => {
  const bits = word & 0xff
  const bitOffset = (word >>> 16) & 0xff
  if (![1, 2, 4, 8, 16].includes(size) || bits === 0 || bitOffset + bits > size * 8) {
    throw new RangeError(`BTF type ${id}: an int of ${bits} bits at bit ${bitOffset} of ${size} bytes`)
  }

  const encoding = (word >>> 24) & 0xf
  return {
    kind: 'int',
    id,
    name,
    size,
    bits,
    bitOffset,
    signed: (encoding & 1) !== 0,
    // clang marks a plain `char` like a signed number; only the name tells it from `signed char`.
    char: (encoding & 2) !== 0 || name === 'char',
    bool: (encoding & 4) !== 0,
  }
}

const checkedSize = (id: number, kind: string, size: number, allowed: readonly number[]): number => {
  if (!allowed.includes(size)) {
    throw new RangeError(`BTF type ${id}: ${kind} of ${size} bytes`)
  }

  return size
}

const buildEnum64 = (id: number, name: string, record: BtfRecord, at: Entry, nameAt: NameAt): BtfType => ({
  kind: 'enum64',
  id,
  name,
  size: checkedSize(id, 'enum64', record.sizeOrType, [1, 2, 4, 8]),
  signed: record.flag,
  values: count(record.entries, entry => {
    const value = (BigInt(at(entry, 2)) << 32n) | BigInt(at(entry, 1))
    return { name: nameAt(at(entry, 0)), value: record.flag ? BigInt.asIntN(64, value) : value }
  }),
})

/** Gives the type whose record lies at an offset; throws a RangeError naming the type when its fields contradict. */
export const buildType = (frame: BtfFrame, offset: number, id: number, nameAt: NameAt): BtfType => {
  const record = readRecord(frame, offset, id)
  const at = entryReader(frame, offset, record.kind)
  const name = nameAt(record.nameOffset)
  const { kind, entries, flag, sizeOrType } = record
  switch (kind) {
    case 'int':
      return buildInt(id, name, sizeOrType, at(0, 0))
    case 'array':
      return { kind, id, name, type: at(0, 0), indexType: at(0, 1), count: at(0, 2) }
    case 'struct':
    case 'union':
      return { kind, id, name, size: sizeOrType, members: buildMembers(record, at, nameAt) }
    case 'enum': {
      const values = count(entries, entry => ({
        name: nameAt(at(entry, 0)),
        value: flag ? at(entry, 1) | 0 : at(entry, 1),
      }))
      return { kind, id, name, size: checkedSize(id, kind, sizeOrType, [1, 2, 4, 8]), signed: flag, values }
    }
    case 'enum64':
      return buildEnum64(id, name, record, at, nameAt)
    case 'fwd':
      return { kind, id, name, of: flag ? 'union' : 'struct' }
    case 'func':
      return { kind, id, name, type: sizeOrType, linkage: readLinkage(entries, id) }
    case 'func_proto': {
      const params = count(entries, entry => ({ name: nameAt(at(entry, 0)), type: at(entry, 1) }))
      return { kind, id, name, returns: sizeOrType, params }
    }
    case 'var':
      return { kind, id, name, type: sizeOrType, linkage: readLinkage(at(0, 0), id) }
    case 'datasec': {
      const variables = count(entries, entry => ({
        type: at(entry, 0),
        offset: at(entry, 1),
        size: at(entry, 2),
      }))
      return { kind, id, name, size: sizeOrType, variables }
    }
    case 'float':
      return { kind, id, name, size: checkedSize(id, kind, sizeOrType, [2, 4, 8, 10, 12, 16]) }
    case 'decl_tag':
      return { kind, id, name, type: sizeOrType, component: at(0, 0) | 0 }
    case 'void':
      return { kind, id, name }
    default:
      return { kind, id, name, type: sizeOrType }
  }
}
