import test from 'ava'
import fc from 'fast-check'
import { Btf, decode, encode } from '../../lib/btf/index.js'
import { addShape, shapes } from './helpers/arbitrary.js'
import { BtfAssembler } from './helpers/assemble.js'

const roundTrips = fc
  .tuple(shapes, fc.boolean(), fc.integer({ min: 0, max: 9 }))
  .chain(([shape, littleEndian, offset]) => {
    const assembler = new BtfAssembler(littleEndian)
    const { id, size, values } = addShape(assembler, shape)
    const btf = Btf.parse(assembler.bytes())
    return fc.record({
      btf: fc.constant(btf),
      id: fc.constant(id),
      size: fc.constant(size),
      offset: fc.constant(offset),
      value: values,
    })
  })

test('what is encoded decodes to the same value, and nothing around it is touched', t => {
  fc.assert(
    fc.property(roundTrips, ({ btf, id, size, offset, value }) => {
      const bytes = new Uint8Array(offset + size + 3).fill(0xa5)
      encode(btf, id, value, bytes, offset)
      t.deepEqual(decode(btf, id, bytes, offset), value)
      t.true(bytes.subarray(0, offset).every(byte => byte === 0xa5))
      t.true(bytes.subarray(offset + size).every(byte => byte === 0xa5))
    }),
    { numRuns: 500 },
  )
})

test('any bytes of a type without strings, bools and padding survive decode and encode', t => {
  const a = new BtfAssembler()
  const u8 = a.int('u8', 1)
  const u64 = a.int('u64', 8)
  const u128 = a.int('__int128', 16, { signed: true })
  const pair = a.composite('struct', 'pair', 8, [
    { name: 'low', type: u8, bitOffset: 0, bits: 3 },
    { name: 'high', type: u64, bitOffset: 3, bits: 61 },
  ])
  const either = a.composite('union', 'either', 16, [
    { name: 'bytes', type: a.array(u8, 16), bitOffset: 0 },
    { name: 'pairs', type: a.array(pair, 2), bitOffset: 0 },
    { name: 'whole', type: u128, bitOffset: 0 },
    { name: 'words', type: a.array(u64, 2), bitOffset: 0 },
  ])
  const btf = Btf.parse(a.bytes())
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
      const out = new Uint8Array(16)
      encode(btf, either, decode(btf, either, bytes), out)
      t.deepEqual(out, bytes)
    }),
  )
})

const sample = () => {
  const a = new BtfAssembler()
  const u16 = a.add('typedef', 'u16', a.int('unsigned short', 2))
  const u64 = a.add('typedef', 'u64', a.int('unsigned long long', 8))
  const char = a.int('char', 1, { signed: true })
  const bool = a.int('_Bool', 1, { bool: true })
  const s8 = a.int('signed char', 1, { signed: true })
  const ports = a.array(u16, 4)
  const inner = a.composite('union', '', 8, [
    { name: 'wide', type: u64, bitOffset: 0 },
    { name: 'narrow', type: u16, bitOffset: 0 },
  ])
  const config = a.composite('struct', 'config', 40, [
    { name: 'ports', type: ports, bitOffset: 0, bits: 0 },
    { name: 'comm', type: a.array(char, 8), bitOffset: 64, bits: 0 },
    { name: 'on', type: bool, bitOffset: 128, bits: 0 },
    { name: 'small', type: s8, bitOffset: 136, bits: 0 },
    { name: 'three', type: u16, bitOffset: 144, bits: 3 },
    { name: '', type: inner, bitOffset: 192, bits: 0 },
    { name: 'next', type: a.add('ptr', '', 0), bitOffset: 256, bits: 0 },
  ])
  const value = {
    ports: [1, 2, 3, 65535],
    comm: 'taut',
    on: true,
    small: -1,
    three: 5,
    wide: 1n,
    next: 0xffff_8880_0000_0000n,
  }
  return { btf: Btf.parse(a.bytes()), config, value }
}

test('each type becomes its plain value; anonymous members lie beside the others', t => {
  const { btf, config, value } = sample()
  const bytes = new Uint8Array(40)
  encode(btf, config, value, bytes)
  t.deepEqual(decode(btf, config, bytes), { ...value, narrow: 1 })
  t.deepEqual([...bytes.subarray(0, 8)], [1, 0, 2, 0, 3, 0, 255, 255])
  t.deepEqual([...bytes.subarray(8, 20)], [...Buffer.from('taut'), 0, 0, 0, 0, 1, 255, 5, 0])
})

const { value: good } = sample()
const refusals: [string, unknown, new (message: string) => Error, string][] = [
  [
    'number too large',
    { ...good, ports: [1, 2, 3, 70000] },
    RangeError,
    'config.ports[3]: 70000 does not fit u16',
  ],
  [
    'negative unsigned',
    { ...good, ports: [-1, 2, 3, 4] },
    RangeError,
    'config.ports[0]: -1 does not fit u16',
  ],
  [
    'fraction',
    { ...good, small: 0.5 },
    RangeError,
    'config.small: 0.5 is not a whole number for signed char',
  ],
  [
    'inexact',
    { ...good, wide: 2 ** 60 },
    RangeError,
    `config.wide: ${2 ** 60} is not exact as a number; give a bigint for u64`,
  ],
  ['too few elements', { ...good, ports: [1] }, RangeError, 'config.ports: 1 elements given for u16[4]'],
  ['not an array', { ...good, ports: 1 }, TypeError, 'config.ports: 1 is not an array for u16[4]'],
  [
    'text too long',
    { ...good, comm: 'memcached' },
    RangeError,
    'config.comm: 9 bytes of text do not fit char[8]',
  ],
  ['text with NUL', { ...good, comm: 'a\0b' }, RangeError, 'config.comm: text for char[8] cannot hold a NUL'],
  ['not text', { ...good, comm: [1] }, TypeError, 'config.comm: an array is not a string for char[8]'],
  ['not a boolean', { ...good, on: 1 }, TypeError, 'config.on: 1 is not a boolean for _Bool'],
  ['not a number', { ...good, small: '1' }, TypeError, 'config.small: "1" is not a number for signed char'],
  ['bit-field too large', { ...good, three: 8 }, RangeError, 'config.three: 8 does not fit u16:3'],
  [
    'pointer too large',
    { ...good, next: 1n << 64n },
    RangeError,
    `config.next: ${1n << 64n} does not fit void *`,
  ],
  ['unknown member', { ...good, extra: 1 }, TypeError, 'config.extra: no such member in struct config'],
  [
    'missing member',
    { ...good, ports: undefined, on: undefined },
    TypeError,
    'config.ports: undefined is not an array for u16[4]',
  ],
  [
    'contradicting union',
    { ...good, narrow: 2 },
    RangeError,
    'config.narrow: contradicts another member of the same union; give only one of them',
  ],
  ['no object', 7, TypeError, 'config: 7 is not an object for struct config'],
  ['null', null, TypeError, 'config: null is not an object for struct config'],
]

for (const [title, value, instanceOf, message] of refusals) {
  test(`encode refuses and changes nothing: ${title}`, t => {
    const { btf, config } = sample()
    const bytes = new Uint8Array(40).fill(7)
    t.throws(() => encode(btf, config, value, bytes, 0, 'config'), { instanceOf, message })
    t.true(bytes.every(byte => byte === 7))
  })
}

test('encode names members that are left out', t => {
  const { btf, config, value } = sample()
  const { comm: _comm, ...withoutComm } = value
  const { wide: _wide, ...withoutWide } = value
  const bytes = new Uint8Array(40)
  t.throws(() => encode(btf, config, withoutComm, bytes), {
    instanceOf: TypeError,
    message: 'struct config.comm: missing',
  })
  t.throws(() => encode(btf, config, withoutWide, bytes), {
    instanceOf: TypeError,
    message: 'struct config: missing one of wide, narrow',
  })
})

test('typed arrays serve as arrays, and numbers as 64-bit values', t => {
  const { btf, config, value } = sample()
  const bytes = new Uint8Array(40)
  encode(btf, config, { ...value, ports: new Uint16Array([9, 8, 7, 6]), wide: 12 }, bytes)
  t.like(decode(btf, config, bytes), { ports: [9, 8, 7, 6], wide: 12n })
})

test('values that do not lie within the bytes are refused', t => {
  const { btf, config, value } = sample()
  for (const offset of [1, -1, 0.5, Number.NaN, 2 ** 53]) {
    t.throws(() => decode(btf, config, new Uint8Array(40), offset), {
      instanceOf: RangeError,
      message: /needs 40/,
    })
    t.throws(() => encode(btf, config, value, new Uint8Array(40), offset), { instanceOf: RangeError })
  }
})

test('a member called __proto__ is a member like any other', t => {
  const a = new BtfAssembler()
  const u8 = a.int('u8', 1)
  const struct = a.composite('struct', 's', 1, [{ name: '__proto__', type: u8, bitOffset: 0 }])
  const value = decode(Btf.parse(a.bytes()), struct, new Uint8Array([3]))
  t.is(Object.getPrototypeOf(value), Object.prototype)
  t.deepEqual(Object.entries(value), [['__proto__', 3]])
})
