import fc from 'fast-check'
import type { BtfAssembler } from './assemble.js'

/** What a random type is made of, before it becomes BTF. */
export type Shape =
  | { kind: 'int'; size: 1 | 2 | 4 | 8; signed: boolean }
  | { kind: 'bool' | 'ptr' | 'float' | 'enum' | 'enum64' }
  | { kind: 'string'; length: number }
  | { kind: 'array'; of: Shape; count: number }
  | { kind: 'struct'; members: Shape[]; bitFields: number[]; anonymous: boolean }

const leaf: fc.Arbitrary<Shape> = fc.oneof(
  fc.record({
    kind: fc.constant('int' as const),
    size: fc.constantFrom(1, 2, 4, 8),
    signed: fc.boolean(),
  }),
  fc.record({ kind: fc.constantFrom('bool', 'ptr', 'float', 'enum', 'enum64') }),
  fc.record({ kind: fc.constant('string' as const), length: fc.integer({ min: 1, max: 12 }) }),
)

/** Gives random types: scalars, strings, arrays and structs of them, with bit-fields and anonymous members. */
export const shapes: fc.Arbitrary<Shape> = fc.letrec<{ shape: Shape }>(tie => ({
  shape: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record({
      kind: fc.constant('array' as const),
      of: tie('shape'),
      count: fc.integer({ min: 0, max: 4 }),
    }),
    fc.record({
      kind: fc.constant('struct' as const),
      members: fc.array(tie('shape'), { maxLength: 5 }),
      bitFields: fc.array(fc.integer({ min: 1, max: 32 }), { maxLength: 4 }),
      anonymous: fc.boolean(),
    }),
  ),
})).shape

let names = 0

/** Adds a shape to the BTF and gives its type id, size and the values it can take. */
export const addShape = (
  btf: BtfAssembler,
  shape: Shape,
): { id: number; size: number; values: fc.Arbitrary<unknown> } => {
  switch (shape.kind) {
    case 'int': {
      const bits = shape.size * 8
      const min = shape.signed ? -(2n ** BigInt(bits - 1)) : 0n
      const values = fc.bigInt({ min, max: min + 2n ** BigInt(bits) - 1n })
      const id = btf.int(`int${bits}`, shape.size, { signed: shape.signed })
      return { id, size: shape.size, values: shape.size === 8 ? values : values.map(Number) }
    }
    case 'bool':
      return { id: btf.int('_Bool', 1, { bool: true }), size: 1, values: fc.boolean() }
    case 'ptr':
      return { id: btf.add('ptr', '', 0), size: 8, values: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }
    case 'float':
      return { id: btf.add('float', 'double', 8), size: 8, values: fc.double() }
    case 'enum':
      return { id: btf.add('enum', 'e', 4), size: 4, values: fc.integer({ min: 0, max: 0xffffffff }) }
    case 'enum64': {
      const values = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
      return { id: btf.add('enum64', 'e64', 8, [], { flag: true }), size: 8, values }
    }
    case 'string': {
      const text = fc
        .string({ unit: 'binary', maxLength: shape.length })
        .filter(value => !value.includes('\0') && Buffer.byteLength(value) <= shape.length)
      const id = btf.array(btf.int('char', 1, { signed: true }), shape.length)
      return { id, size: shape.length, values: text }
    }
    case 'array': {
      const element = addShape(btf, shape.of)
      const values = fc.array(element.values, { minLength: shape.count, maxLength: shape.count })
      return { id: btf.array(element.id, shape.count), size: element.size * shape.count, values }
    }
    case 'struct':
      return addStruct(btf, shape)
  }
}

const addStruct = (btf: BtfAssembler, shape: Shape & { kind: 'struct' }) => {
  const members: { name: string; type: number; bitOffset: number; bits?: number }[] = []
  const values: Record<string, fc.Arbitrary<unknown>> = {}
  let bitOffset = 0
  for (const part of shape.members) {
    const { id, size, values: inner } = addShape(btf, part)
    const name = `m${names++}`
    members.push({ name, type: id, bitOffset, bits: 0 })
    values[name] = inner
    bitOffset += size * 8
  }

  const unsigned = btf.int('unsigned int', 4)
  for (const bits of shape.bitFields) {
    const name = `b${names++}`
    members.push({ name, type: unsigned, bitOffset, bits })
    values[name] = fc.integer({ min: 0, max: 2 ** bits - 1 })
    bitOffset += bits
  }

  const size = Math.ceil(bitOffset / 8)
  const record = fc.record(values)
  const id = btf.composite('struct', `s${names++}`, size, members)
  if (!shape.anonymous) {
    return { id, size, values: record }
  }

  const outer = btf.composite('struct', `s${names++}`, size, [{ name: '', type: id, bitOffset: 0 }])
  return { id: outer, size, values: record }
}
