import type { Btf, BtfMember, BtfType } from 'libbpf-ts'
import type { Selected } from './select.js'

/** What the parts of the generator know: the BTF, and the types that have names in the output. */
export interface Context {
  readonly btf: Btf
  readonly selected: ReadonlyMap<number, Selected>
}

/** Gives the error for a type that has no value, such as void or a function. */
export const noValue = ({ kind, name }: BtfType): Error =>
  new Error(`${`${kind} ${name}`.trim()} has no value in TypeScript`)

/** Gives what a struct or union is called in the output; throws an Error when it was not selected. */
export const selectedOf = ({ selected }: Context, type: BtfType): Selected => {
  const found = selected.get(type.id)
  if (found === undefined) {
    throw noValue(type)
  }

  return found
}

/** Tells whether a type is the plain `char` whose arrays are text. */
export const isChar = (btf: Btf, typeId: number): boolean => {
  const type = btf.resolve(typeId)
  return type.kind === 'int' && type.size === 1 && type.char
}

/** Gives the TypeScript type of the values of a type; throws an Error for a type that has none. */
export const typeOf = ({ btf, selected }: Context, typeId: number): string => {
  const type = btf.resolve(typeId)
  switch (type.kind) {
    case 'int':
      return type.bool ? 'boolean' : type.size > 4 ? 'bigint' : 'number'
    case 'enum':
    case 'float':
      return 'number'
    case 'enum64':
    case 'ptr':
      return 'bigint'
    case 'array':
      return isChar(btf, type.type) ? 'string' : `${typeOf({ btf, selected }, type.type)}[]`
    case 'struct':
    case 'union':
      return selectedOf({ btf, selected }, type).typeName
    default:
      throw noValue(type)
  }
}

/** A member as it shows in the values: those of anonymous members count as their owner's. */
export interface Field {
  readonly name: string
  readonly type: number
  readonly bitOffset: number
  /** The width of a bit-field, otherwise 0. */
  readonly bits: number
}

/** Gives the members of a struct or union, those of its anonymous members in their place. */
export const listFields = (btf: Btf, members: readonly BtfMember[], base = 0): Field[] =>
  members.flatMap(member => {
    const bitOffset = base + member.bitOffset
    const type = btf.resolve(member.type)
    if (member.name !== '') {
      return [{ ...member, bitOffset }]
    }

    return type.kind === 'struct' || type.kind === 'union' ? listFields(btf, type.members, bitOffset) : []
  })
