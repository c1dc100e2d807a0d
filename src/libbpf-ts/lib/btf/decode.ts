import { readBits } from './bits.js'
import type { Btf } from './btf.js'
import type { BtfType, BtfTypeOf } from './types.js'
import { bitFieldOf, checkMember, checkRoom, isChar, limitWalk, nameOf } from './walk.js'

/** A decoded value: see `decode` for which type gives which. */
export type BtfValue = number | bigint | boolean | string | BtfValue[] | { [member: string]: BtfValue }

// A byte order mark is text like any other here: what was put in has to come out.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

interface Walk {
  readonly btf: Btf
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly step: (depth: number) => void
}

/** Sets a member by assignment, except `__proto__`, which assignment would take for something else. */
const setMember = (target: { [member: string]: BtfValue }, name: string, value: BtfValue): void => {
  if (name === '__proto__') {
    Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true })
  } else {
    target[name] = value
  }
}

const readWhole = ({ btf, bytes, view }: Walk, size: number, signed: boolean, offset: number) => {
  switch (size) {
    case 1:
      return signed ? view.getInt8(offset) : view.getUint8(offset)
    case 2:
      return signed ? view.getInt16(offset, btf.littleEndian) : view.getUint16(offset, btf.littleEndian)
    case 4:
      return signed ? view.getInt32(offset, btf.littleEndian) : view.getUint32(offset, btf.littleEndian)
    case 8:
      return signed ? view.getBigInt64(offset, btf.littleEndian) : view.getBigUint64(offset, btf.littleEndian)
    default: {
      const value = readBits(bytes, offset * 8, size * 8, btf.littleEndian)
      return signed ? BigInt.asIntN(size * 8, value) : value
    }
  }
}

const readFloat = ({ btf, view }: Walk, type: BtfTypeOf<'float'>, offset: number): number => {
  switch (type.size) {
    case 4:
      return view.getFloat32(offset, btf.littleEndian)
    case 8:
      return view.getFloat64(offset, btf.littleEndian)
    default:
      throw new RangeError(`${type.name}: floats of ${type.size} bytes have no value in JavaScript`)
  }
}

const readBitField = (walk: Walk, type: BtfType, bitOffset: number, bits: number): BtfValue => {
  const value = readBits(walk.bytes, bitOffset, bits, walk.btf.littleEndian)
  switch (type.kind) {
    case 'int': {
      if (type.bool) {
        return value !== 0n
      }

      const signed = type.signed ? BigInt.asIntN(bits, value) : value
      return type.size > 4 ? signed : Number(signed)
    }
    case 'enum':
      return Number(type.signed ? BigInt.asIntN(bits, value) : value)
    case 'enum64':
      return type.signed ? BigInt.asIntN(bits, value) : value
    default:
      throw new RangeError(`BTF: a ${type.kind} cannot be a bit-field`)
  }
}

const readString = ({ bytes }: Walk, offset: number, length: number): string => {
  const whole = bytes.subarray(offset, offset + length)
  const end = whole.indexOf(0)
  return utf8.decode(end === -1 ? whole : whole.subarray(0, end))
}

const readArray = (walk: Walk, type: BtfTypeOf<'array'>, offset: number, depth: number): BtfValue => {
  if (isChar(walk.btf, type.type)) {
    return readString(walk, offset, type.count)
  }

  const stride = walk.btf.sizeOf(type.type)
  const values: BtfValue[] = []
  for (let index = 0; index < type.count; index++) {
    values.push(readValue(walk, type.type, offset + index * stride, depth + 1))
  }

  return values
}

const readMembers = (
  walk: Walk,
  type: BtfTypeOf<'struct' | 'union'>,
  offset: number,
  depth: number,
  into: { [member: string]: BtfValue },
): void => {
  for (const member of type.members) {
    walk.step(depth)
    checkMember(walk.btf, type, member)
    const memberType = walk.btf.resolve(member.type)
    const { bits, bitOffset } = bitFieldOf(member, memberType)
    if (member.name === '') {
      if (memberType.kind === 'struct' || memberType.kind === 'union') {
        readMembers(walk, memberType, offset + bitOffset / 8, depth + 1, into)
      }
    } else if (bits > 0) {
      setMember(into, member.name, readBitField(walk, memberType, offset * 8 + bitOffset, bits))
    } else {
      setMember(into, member.name, readValue(walk, member.type, offset + bitOffset / 8, depth + 1))
    }
  }
}

const readValue = (walk: Walk, typeId: number, offset: number, depth: number): BtfValue => {
  walk.step(depth)
  const type = walk.btf.resolve(typeId)
  switch (type.kind) {
    case 'int': {
      if (type.bits !== type.size * 8) {
        return readBitField(walk, type, offset * 8 + type.bitOffset, type.bits)
      }

      const value = readWhole(walk, type.size, type.signed, offset)
      return type.bool ? Number(value) !== 0 : value
    }
    case 'ptr':
      return BigInt(readWhole(walk, walk.btf.pointerSize, false, offset))
    case 'enum':
      return Number(readWhole(walk, type.size, type.signed, offset))
    case 'enum64':
      return BigInt(readWhole(walk, type.size, type.signed, offset))
    case 'float':
      return readFloat(walk, type, offset)
    case 'array':
      return readArray(walk, type, offset, depth)
    case 'struct':
    case 'union': {
      const value: { [member: string]: BtfValue } = {}
      readMembers(walk, type, offset, depth + 1, value)
      return value
    }
    default:
      throw new RangeError(`${nameOf(walk.btf, typeId)}: a ${type.kind} has no value`)
  }
}

/**
 * Gives the value of a type at a byte offset, as plain JavaScript: integers up to 32 bits and enums as numbers,
 * wider ones and pointers as bigints, bool as boolean, char arrays as the string up to their NUL, other arrays as
 * arrays, structs and unions as objects with every member in them, those of anonymous members beside the others.
 * Throws a RangeError when the bytes end too early or the type has no value.
 */
export const decode = (btf: Btf, typeId: number, bytes: Uint8Array, offset = 0): BtfValue => {
  const size = checkRoom(btf, typeId, bytes, offset)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return readValue({ btf, bytes, view, step: limitWalk(size) }, typeId, offset, 0)
}
