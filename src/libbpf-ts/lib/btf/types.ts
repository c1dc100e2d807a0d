/** What every BTF type carries: its id within the BTF it came from and its name, empty when anonymous. */
interface Named {
  readonly id: number
  readonly name: string
}

/** A type that only points at another one: the type id it refers to is in `type`. */
interface Reference<Kind extends string> extends Named {
  readonly kind: Kind
  readonly type: number
}

/** A member of a struct or union: `bitOffset` from its start, `bits` is the width of a bit-field, otherwise 0. */
export interface BtfMember {
  readonly name: string
  readonly type: number
  readonly bitOffset: number
  readonly bits: number
}

/** A struct or a union: `size` in bytes, members in the order of the source. */
interface Composite<Kind extends string> extends Named {
  readonly kind: Kind
  readonly size: number
  readonly members: readonly BtfMember[]
}

/** Where a variable or function can be seen from: static to its file, global, or defined elsewhere. */
export type BtfLinkage = 'static' | 'global' | 'extern'

/** An integer: `size` in bytes, `bits` of it used from `bitOffset` on (old compilers say bit-fields like that). */
export interface BtfInt extends Named {
  readonly kind: 'int'
  readonly size: number
  readonly bits: number
  readonly bitOffset: number
  readonly signed: boolean
  readonly char: boolean
  readonly bool: boolean
}

/** An array of `count` elements of type id `type`. */
export interface BtfArray extends Named {
  readonly kind: 'array'
  readonly type: number
  readonly indexType: number
  readonly count: number
}

/** An enum of at most 32 bits; compilers before clang 15 do not mark signed ones, so their -1 reads 4294967295. */
export interface BtfEnum extends Named {
  readonly kind: 'enum'
  readonly size: number
  readonly signed: boolean
  readonly values: readonly { readonly name: string; readonly value: number }[]
}

/** An enum with 64-bit constants. */
export interface BtfEnum64 extends Named {
  readonly kind: 'enum64'
  readonly size: number
  readonly signed: boolean
  readonly values: readonly { readonly name: string; readonly value: bigint }[]
}

/** A variable of a data section: where it lies in the section, its size in bytes, its own (not the var's) type id. */
export interface BtfVariable {
  readonly name: string
  readonly type: number
  readonly offset: number
  readonly size: number
  readonly linkage: BtfLinkage
}

/** One BTF type, told apart by `kind`; numbers named `type`, `returns` and `indexType` are type ids. */
export type BtfType =
  | (Named & { readonly kind: 'void' })
  | BtfInt
  | Reference<'ptr'>
  | BtfArray
  | Composite<'struct'>
  | Composite<'union'>
  | BtfEnum
  | BtfEnum64
  | (Named & { readonly kind: 'fwd'; readonly of: 'struct' | 'union' })
  | Reference<'typedef'>
  | Reference<'volatile'>
  | Reference<'const'>
  | Reference<'restrict'>
  | Reference<'type_tag'>
  | (Reference<'func'> & { readonly linkage: BtfLinkage })
  | (Named & {
      readonly kind: 'func_proto'
      readonly returns: number
      readonly params: readonly { readonly name: string; readonly type: number }[]
    })
  | (Reference<'var'> & { readonly linkage: BtfLinkage })
  | (Named & {
      readonly kind: 'datasec'
      readonly size: number
      readonly variables: readonly { readonly type: number; readonly offset: number; readonly size: number }[]
    })
  | (Named & { readonly kind: 'float'; readonly size: number })
  | (Reference<'decl_tag'> & { readonly component: number })

/** The name of a kind of BTF type. */
export type BtfKind = BtfType['kind']

/** The BTF type of a given kind. */
export type BtfTypeOf<Kind extends BtfKind> = Extract<BtfType, { readonly kind: Kind }>

/** The kinds by the number that stands for them in a .BTF section. */
export const kinds = [
  'void',
  'int',
  'ptr',
  'array',
  'struct',
  'union',
  'enum',
  'fwd',
  'typedef',
  'volatile',
  'const',
  'restrict',
  'func',
  'func_proto',
  'var',
  'datasec',
  'float',
  'decl_tag',
  'type_tag',
  'enum64',
] as const satisfies readonly BtfKind[]
