import type { Btf } from './btf.js'
import type { BtfMember, BtfType } from './types.js'

const deepest = 64

/**
 * Gives a guard for a walk over values of `size` bytes: call it at every step with the depth.
 * Hostile types can nest in circles or double at each level; the guard throws a RangeError for both.
 */
export const limitWalk = (size: number): ((depth: number) => void) => {
  let left = 65_536 + 64 * size
  return depth => {
    if (depth > deepest) {
      throw new RangeError(`BTF: values nested deeper than ${deepest}`)
    }

    left--
    if (left < 0) {
      throw new RangeError(`BTF: more values in ${size} bytes than there can be`)
    }
  }
}

/** Gives the size of a type as whole bytes within `bytes` at `offset`; throws a RangeError when it does not fit. */
export const checkRoom = (btf: Btf, typeId: number, bytes: Uint8Array, offset: number): number => {
  const size = btf.sizeOf(typeId)
  if (!Number.isInteger(offset) || offset < 0 || offset + size > bytes.length) {
    throw new RangeError(
      `${nameOf(btf, typeId)}: needs ${size} bytes at ${offset}, but only ${bytes.length} are there`,
    )
  }

  return size
}

/** Gives the width of a member in bits when it is a bit-field, otherwise 0, and where its first bit is. */
export const bitFieldOf = (member: BtfMember, type: BtfType): { bits: number; bitOffset: number } => {
  if (member.bits > 0) {
    return { bits: member.bits, bitOffset: member.bitOffset }
  }

  // Before members had widths, the int type itself was as narrow as the field.
  if (type.kind === 'int' && type.bits !== type.size * 8) {
    return { bits: type.bits, bitOffset: member.bitOffset + type.bitOffset }
  }

  return { bits: 0, bitOffset: member.bitOffset }
}

/** Throws a RangeError when a member does not lie within the struct or union it belongs to. */
export const checkMember = (btf: Btf, owner: { name: string; size: number }, member: BtfMember): void => {
  const { bits, bitOffset } = bitFieldOf(member, btf.resolve(member.type))
  const where = `BTF: member ${member.name || 'without a name'} of ${owner.name || 'an anonymous type'}`
  if (bits === 0 && bitOffset % 8 !== 0) {
    throw new RangeError(`${where} starts at bit ${bitOffset}, inside a byte`)
  }

  const end = bitOffset + (bits === 0 ? btf.sizeOf(member.type) * 8 : bits)
  if (end > owner.size * 8) {
    throw new RangeError(`${where} ends at bit ${end}, past its ${owner.size} bytes`)
  }
}

/** Tells whether a type is the plain `char` whose arrays are strings. */
export const isChar = (btf: Btf, typeId: number): boolean => {
  const type = btf.resolve(typeId)
  return type.kind === 'int' && type.size === 1 && type.char
}

const nameAtDepth = (btf: Btf, typeId: number, depth: number): string => {
  if (depth > deepest) {
    return '…'
  }

  const type = btf.type(typeId)
  switch (type.kind) {
    case 'void':
      return 'void'
    case 'ptr':
      return `${nameAtDepth(btf, type.type, depth + 1)} *`
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'type_tag':
    case 'var':
      return nameAtDepth(btf, type.type, depth + 1)
    case 'array':
      return `${nameAtDepth(btf, type.type, depth + 1)}[${type.count}]`
    case 'struct':
    case 'union':
    case 'enum':
      return type.name === '' ? type.kind : `${type.kind} ${type.name}`
    case 'enum64':
      return `enum ${type.name}`.trim()
    default:
      return type.name || type.kind
  }
}

/** Gives a type's name the way C writes it, without const and volatile: `u16`, `struct config`, `char[16]`. */
export const nameOf = (btf: Btf, typeId: number): string => nameAtDepth(btf, typeId, 0)
