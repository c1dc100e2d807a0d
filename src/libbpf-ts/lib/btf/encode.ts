import { readBits, writeBits } from './bits.js'
import type { Btf } from './btf.js'
import type { BtfMember, BtfType, BtfTypeOf } from './types.js'
import { bitFieldOf, checkMember, checkRoom, isChar, limitWalk, nameOf } from './walk.js'

const utf8 = new TextEncoder()

interface Walk {
  readonly btf: Btf
  readonly bytes: Uint8Array
  /** One bit for each bit of `bytes` that a value has claimed. */
  readonly claimed: Uint8Array
  readonly step: (depth: number) => void
}

type Fields = { readonly [member: string]: unknown }
type Composite = BtfTypeOf<'struct' | 'union'>

const describe = (value: unknown): string => {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'bigint':
      return `${value}n`
    case 'object':
      return Array.isArray(value) ? 'an array' : value === null ? 'null' : 'an object'
    case 'symbol':
    case 'function':
      return `a ${typeof value}`
    default:
      return String(value)
  }
}

const contradiction = (path: string) =>
  new RangeError(`${path}: contradicts another member of the same union; give only one of them`)

const putBytes = (walk: Walk, path: string, offset: number, length: number, value: bigint): void => {
  for (let index = 0; index < length; index++) {
    const shift = 8 * (walk.btf.littleEndian ? index : length - 1 - index)
    const byte = Number((value >> BigInt(shift)) & 0xffn)
    const at = offset + index
    if ((((walk.bytes[at] ?? 0) ^ byte) & (walk.claimed[at] ?? 0)) !== 0) {
      throw contradiction(path)
    }

    walk.bytes[at] = byte
    walk.claimed[at] = 0xff
  }
}

/** Puts bits where nothing else claimed them; in a union, members given together have to agree. */
const put = (walk: Walk, path: string, bitOffset: number, bits: number, value: bigint): void => {
  const { littleEndian } = walk.btf
  if (bitOffset % 8 === 0 && bits % 8 === 0) {
    putBytes(walk, path, bitOffset / 8, bits / 8, value)
    return
  }

  const all = (1n << BigInt(bits)) - 1n
  const claimed = readBits(walk.claimed, bitOffset, bits, littleEndian)
  if (((readBits(walk.bytes, bitOffset, bits, littleEndian) ^ value) & claimed) !== 0n) {
    throw contradiction(path)
  }

  writeBits(walk.bytes, bitOffset, bits, littleEndian, value)
  writeBits(walk.claimed, bitOffset, bits, littleEndian, all)
}

/** A type's name, made only when an error needs it. */
type TypeName = () => string

const wholeNumber = (path: string, typeName: TypeName, value: unknown): bigint => {
  if (typeof value === 'bigint') {
    return value
  }

  if (typeof value !== 'number') {
    throw new TypeError(`${path}: ${describe(value)} is not a number for ${typeName()}`)
  }

  if (!Number.isInteger(value)) {
    throw new RangeError(`${path}: ${value} is not a whole number for ${typeName()}`)
  }

  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${path}: ${value} is not exact as a number; give a bigint for ${typeName()}`)
  }

  return BigInt(value)
}

const fit = (path: string, typeName: TypeName, value: unknown, bits: number, signed: boolean): bigint => {
  const whole = wholeNumber(path, typeName, value)
  const low = signed ? -(1n << BigInt(bits - 1)) : 0n
  const high = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n
  if (whole < low || whole > high) {
    throw new RangeError(`${path}: ${whole} does not fit ${typeName()}`)
  }

  return BigInt.asUintN(bits, whole)
}

const toBits = (type: BtfType, typeName: TypeName, path: string, value: unknown, bits: number): bigint => {
  if (type.kind === 'int' && type.bool) {
    if (typeof value !== 'boolean') {
      throw new TypeError(`${path}: ${describe(value)} is not a boolean for ${typeName()}`)
    }

    return value ? 1n : 0n
  }

  if (type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64') {
    return fit(path, typeName, value, bits, type.signed)
  }

  throw new RangeError(`${path}: a ${type.kind} cannot be a bit-field`)
}

const floatBits = (type: BtfTypeOf<'float'>, path: string, value: unknown): bigint => {
  if (typeof value !== 'number') {
    throw new TypeError(`${path}: ${describe(value)} is not a number for ${type.name}`)
  }

  const view = new DataView(new ArrayBuffer(8))
  switch (type.size) {
    case 4:
      view.setFloat32(0, value)
      return BigInt(view.getUint32(0))
    case 8:
      view.setFloat64(0, value)
      return view.getBigUint64(0)
    default:
      throw new RangeError(`${path}: ${type.name} of ${type.size} bytes has no value in JavaScript`)
  }
}

const writeString = (walk: Walk, path: string, value: unknown, offset: number, length: number): void => {
  if (typeof value !== 'string') {
    throw new TypeError(`${path}: ${describe(value)} is not a string for char[${length}]`)
  }

  const encoded = utf8.encode(value)
  if (encoded.length > length) {
    throw new RangeError(`${path}: ${encoded.length} bytes of text do not fit char[${length}]`)
  }

  if (encoded.includes(0)) {
    throw new RangeError(`${path}: text for char[${length}] cannot hold a NUL`)
  }

  for (let index = 0; index < length; index++) {
    put(walk, path, (offset + index) * 8, 8, BigInt(encoded[index] ?? 0))
  }
}

const isArrayLike = (value: unknown): value is ArrayLike<unknown> =>
  Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))

const writeArray = (
  walk: Walk,
  type: BtfTypeOf<'array'>,
  path: string,
  value: unknown,
  offset: number,
  depth: number,
): void => {
  if (isChar(walk.btf, type.type)) {
    writeString(walk, path, value, offset, type.count)
    return
  }

  const typeName = () => nameOf(walk.btf, type.id)
  if (!isArrayLike(value)) {
    throw new TypeError(`${path}: ${describe(value)} is not an array for ${typeName()}`)
  }

  if (value.length !== type.count) {
    throw new RangeError(`${path}: ${value.length} elements given for ${typeName()}`)
  }

  const stride = walk.btf.sizeOf(type.type)
  for (let index = 0; index < type.count; index++) {
    writeValue(walk, type.type, `${path}[${index}]`, value[index], offset + index * stride, depth + 1)
  }
}

const asComposite = (type: BtfType): Composite | undefined =>
  type.kind === 'struct' || type.kind === 'union' ? type : undefined

/** Gathers the names that an object for this type may have, those of anonymous members included. */
const collectNames = (walk: Walk, type: Composite, depth: number, into = new Set<string>()): Set<string> => {
  for (const member of type.members) {
    walk.step(depth)
    const inner = member.name === '' ? asComposite(walk.btf.resolve(member.type)) : undefined
    if (inner !== undefined) {
      collectNames(walk, inner, depth + 1, into)
    } else if (member.name !== '') {
      into.add(member.name)
    }
  }

  return into
}

const hasAny = (walk: Walk, member: BtfMember, fields: Fields, depth: number): boolean => {
  if (member.name !== '') {
    return Object.hasOwn(fields, member.name)
  }

  const inner = asComposite(walk.btf.resolve(member.type))
  if (inner === undefined) {
    return false
  }

  const names = collectNames(walk, inner, depth + 1)
  return names.size === 0 || [...names].some(name => Object.hasOwn(fields, name))
}

const writeMember = (
  walk: Walk,
  owner: Composite,
  member: BtfMember,
  path: string,
  fields: Fields,
  offset: number,
  depth: number,
): void => {
  checkMember(walk.btf, owner, member)
  const type = walk.btf.resolve(member.type)
  const { bits, bitOffset } = bitFieldOf(member, type)
  if (member.name === '') {
    const inner = asComposite(type)
    if (inner !== undefined) {
      writeMembers(walk, inner, path, fields, offset + bitOffset / 8, depth + 1)
    }

    return
  }

  const inside = `${path}.${member.name}`
  if (!Object.hasOwn(fields, member.name)) {
    throw new TypeError(`${inside}: missing`)
  }

  const value = fields[member.name]
  if (bits > 0) {
    const typeName = () => `${nameOf(walk.btf, member.type)}:${bits}`
    put(walk, inside, offset * 8 + bitOffset, bits, toBits(type, typeName, inside, value, bits))
  } else {
    writeValue(walk, member.type, inside, value, offset + bitOffset / 8, depth + 1)
  }
}

const writeMembers = (
  walk: Walk,
  type: Composite,
  path: string,
  fields: Fields,
  offset: number,
  depth: number,
): void => {
  const union = type.kind === 'union'
  let written = 0
  for (const member of type.members) {
    walk.step(depth)
    if (!union || hasAny(walk, member, fields, depth)) {
      writeMember(walk, type, member, path, fields, offset, depth)
      written++
    }
  }

  if (union && written === 0 && type.members.length > 0) {
    const names = [...collectNames(walk, type, depth)].join(', ')
    throw new TypeError(`${path}: missing one of ${names}`)
  }
}

const writeComposite = (
  walk: Walk,
  type: Composite,
  path: string,
  value: unknown,
  offset: number,
  depth: number,
): void => {
  const typeName = () => nameOf(walk.btf, type.id)
  if (typeof value !== 'object' || value === null || isArrayLike(value)) {
    throw new TypeError(`${path}: ${describe(value)} is not an object for ${typeName()}`)
  }

  const names = collectNames(walk, type, depth)
  for (const name of Object.keys(value)) {
    if (!names.has(name)) {
      throw new TypeError(`${path}.${name}: no such member in ${typeName()}`)
    }
  }

  writeMembers(walk, type, path, value as Fields, offset, depth)
}

const writeValue = (
  walk: Walk,
  typeId: number,
  path: string,
  value: unknown,
  offset: number,
  depth: number,
): void => {
  walk.step(depth)
  const type = walk.btf.resolve(typeId)
  const typeName = () => nameOf(walk.btf, typeId)
  switch (type.kind) {
    case 'int':
      put(walk, path, offset * 8 + type.bitOffset, type.bits, toBits(type, typeName, path, value, type.bits))
      break
    case 'enum':
    case 'enum64':
      put(walk, path, offset * 8, type.size * 8, toBits(type, typeName, path, value, type.size * 8))
      break
    case 'ptr': {
      const bits = walk.btf.pointerSize * 8
      put(walk, path, offset * 8, bits, fit(path, typeName, value, bits, false))
      break
    }
    case 'float':
      put(walk, path, offset * 8, type.size * 8, floatBits(type, path, value))
      break
    case 'array':
      writeArray(walk, type, path, value, offset, depth)
      break
    case 'struct':
    case 'union':
      writeComposite(walk, type, path, value, offset, depth + 1)
      break
    default:
      throw new RangeError(`${path}: a ${type.kind} has no value`)
  }
}

/**
 * Puts a value, shaped like the results of `decode`, into the bytes at an offset; padding becomes zero.
 * Of a union, one member is enough. Integers may be numbers or bigints, arrays also typed arrays.
 * Throws a TypeError for a wrong shape, a RangeError for a value that does not fit, both with the path to it
 * starting at `name`; the bytes are then unchanged.
 */
export const encode = (
  btf: Btf,
  typeId: number,
  value: unknown,
  bytes: Uint8Array,
  offset = 0,
  name = nameOf(btf, typeId),
): void => {
  const size = checkRoom(btf, typeId, bytes, offset)
  const scratch = new Uint8Array(size)
  const walk = { btf, bytes: scratch, claimed: new Uint8Array(size), step: limitWalk(size) }
  writeValue(walk, typeId, name, value, 0, 0)
  bytes.set(scratch, offset)
}
