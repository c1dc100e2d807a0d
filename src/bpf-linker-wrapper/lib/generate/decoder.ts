import type { BtfTypeOf } from 'libbpf-ts'
import type { Helper } from './helpers.js'
import { toProperty } from './names.js'
import type { Selected } from './select.js'
import { type Context, type Field, isChar, listFields, noValue, selectedOf } from './types.js'

/** The functions that the generated code turned out to need. */
export type Uses = Set<Helper>

const plus = (at: string, offset: number): string => (offset === 0 ? at : `${at} + ${offset}`)

const readWhole = (size: number, signed: boolean, at: string, littleEndian: boolean): string => {
  const sign = signed ? 'Int' : 'Uint'
  switch (size) {
    case 1:
      return `view.get${sign}8(${at})`
    case 2:
    case 4:
      return `view.get${sign}${size * 8}(${at}, ${littleEndian})`
    case 8:
      return `view.getBig${sign}64(${at}, ${littleEndian})`
    case 16: {
      const [low, high] = littleEndian ? [at, `${at} + 8`] : [`${at} + 8`, at]
      const upper = readWhole(8, signed, high, littleEndian)
      return `(${upper} << 64n) | ${readWhole(8, false, low, littleEndian)}`
    }
    default:
      throw new Error(`no integer has ${size} bytes`)
  }
}

const readInt = (type: BtfTypeOf<'int'>, at: string, littleEndian: boolean): string => {
  const whole = readWhole(type.size, type.signed, at, littleEndian)
  return type.bool ? `${whole} !== 0` : whole
}

const readFloat = (type: BtfTypeOf<'float'>, at: string, littleEndian: boolean): string => {
  if (type.size !== 4 && type.size !== 8) {
    throw new Error(`${type.name} of ${type.size} bytes has no value in JavaScript`)
  }

  return `view.getFloat${type.size * 8}(${at}, ${littleEndian})`
}

const readBitField = ({ btf }: Context, uses: Uses, field: Field): string => {
  uses.add('readBits')
  const type = btf.resolve(field.type)
  const bitAt = plus('offset * 8', field.bitOffset)
  const read = `readBits(view, ${bitAt}, ${field.bits}, ${btf.littleEndian})`
  if (type.kind === 'int' && type.bool) {
    return `${read} !== 0n`
  }

  const value = 'signed' in type && type.signed ? `BigInt.asIntN(${field.bits}, ${read})` : read
  const wide = type.kind === 'enum64' || (type.kind === 'int' && type.size > 4)
  return wide ? value : `Number(${value})`
}

const readArray = (
  context: Context,
  uses: Uses,
  type: BtfTypeOf<'array'>,
  at: string,
  depth: number,
): string => {
  if (isChar(context.btf, type.type)) {
    uses.add('readText')
    return `readText(view, ${at}, ${type.count})`
  }

  uses.add('readList')
  const index = `i${depth}`
  const element = readValue(
    context,
    uses,
    type.type,
    `${at} + ${index} * ${context.btf.sizeOf(type.type)}`,
    depth + 1,
  )
  return `readList(${type.count}, ${type.count === 0 ? '()' : index} => ${element})`
}

const readValue = (context: Context, uses: Uses, typeId: number, at: string, depth: number): string => {
  const { btf } = context
  const type = btf.resolve(typeId)
  switch (type.kind) {
    case 'int':
      return readInt(type, at, btf.littleEndian)
    case 'ptr':
      return btf.pointerSize === 8
        ? readWhole(8, false, at, btf.littleEndian)
        : `BigInt(${readWhole(4, false, at, btf.littleEndian)})`
    case 'enum':
      return type.size > 4
        ? `Number(${readWhole(type.size, type.signed, at, btf.littleEndian)})`
        : readWhole(type.size, type.signed, at, btf.littleEndian)
    case 'enum64':
      return type.size > 4
        ? readWhole(type.size, type.signed, at, btf.littleEndian)
        : `BigInt(${readWhole(type.size, type.signed, at, btf.littleEndian)})`
    case 'float':
      return readFloat(type, at, btf.littleEndian)
    case 'array':
      return readArray(context, uses, type, at, depth)
    case 'struct':
    case 'union':
      return `decode${selectedOf(context, type).typeName}(view, ${at})`
    default:
      throw noValue(type)
  }
}

/** Gives the source of a struct's or union's decoder, and notes which helpers it calls. */
export const writeDecoder = (
  context: Context,
  uses: Uses,
  { type, cName, typeName }: Selected & { readonly type: BtfTypeOf<'struct' | 'union'> },
): string => {
  const fields = listFields(context.btf, type.members).map(field => {
    const value =
      field.bits > 0
        ? readBitField(context, uses, field)
        : readValue(context, uses, field.type, plus('offset', field.bitOffset / 8), 0)
    return `  ${toProperty(field.name)}: ${value},`
  })
  const [view, offset] = fields.length === 0 ? ['_view', '_offset'] : ['view', 'offset']
  return [
    `/** Reads a ${type.kind} ${cName} of ${type.size} bytes at a byte offset; throws a RangeError past the end. */`,
    `export const decode${typeName} = (${view}: DataView, ${offset} = 0): ${typeName} => ({`,
    ...fields,
    '})',
  ].join('\n')
}
