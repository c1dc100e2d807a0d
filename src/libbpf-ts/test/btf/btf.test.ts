import test from 'ava'
import { Btf } from '../../lib/btf/index.js'
import { BtfAssembler } from './helpers/assemble.js'

for (const littleEndian of [true, false]) {
  test(`every kind is read, ${littleEndian ? 'little' : 'big'}-endian`, t => {
    const a = new BtfAssembler(littleEndian)
    const int = a.int('int', 4, { signed: true })
    const ptr = a.add('ptr', '', int)
    const array = a.array(int, 7)
    const struct = a.composite('struct', 'point', 8, [
      { name: 'x', type: int, bitOffset: 0, bits: 3 },
      { name: 'y', type: int, bitOffset: 32, bits: 0 },
    ])
    const union = a.composite('union', 'either', 4, [{ name: 'a', type: int, bitOffset: 0 }])
    const red = a.string('RED')
    const enumeration = a.add('enum', 'color', 4, [red, 0xffffffff], { entries: 1, flag: true })
    const fwd = a.add('fwd', 'later', 0, [], { flag: true })
    const typedef = a.add('typedef', 's32', int)
    const qualifiers = (['volatile', 'const', 'restrict'] as const).map(kind => a.add(kind, '', typedef))
    const proto = a.add('func_proto', '', int, [a.string('arg'), ptr], { entries: 1 })
    const func = a.add('func', 'main', proto, [], { entries: 1 })
    const variable = a.add('var', 'counter', int, [1])
    const datasec = a.add('datasec', '.bss', 12, [variable, 8, 4], { entries: 1 })
    const float = a.add('float', 'double', 8)
    const declTag = a.add('decl_tag', 'note', struct, [0xffffffff])
    const typeTag = a.add('type_tag', 'user', int)
    const big = a.add('enum64', 'big', 8, [red, 1, 0x80000000], { entries: 1 })

    const btf = Btf.parse(a.bytes())
    t.is(btf.littleEndian, littleEndian)
    t.is(btf.typeCount, a.nextId)
    t.is([...btf.types()].length, a.nextId - 1)
    t.deepEqual(btf.type(0), { kind: 'void', id: 0, name: '' })
    t.deepEqual(btf.type(int), {
      kind: 'int',
      id: int,
      name: 'int',
      size: 4,
      bits: 32,
      bitOffset: 0,
      signed: true,
      char: false,
      bool: false,
    })
    t.deepEqual(btf.type(ptr), { kind: 'ptr', id: ptr, name: '', type: int })
    t.deepEqual(btf.type(array), { kind: 'array', id: array, name: '', type: int, indexType: 1, count: 7 })
    t.deepEqual(btf.type(struct), {
      kind: 'struct',
      id: struct,
      name: 'point',
      size: 8,
      members: [
        { name: 'x', type: int, bitOffset: 0, bits: 3 },
        { name: 'y', type: int, bitOffset: 32, bits: 0 },
      ],
    })
    t.deepEqual(btf.type(union), {
      kind: 'union',
      id: union,
      name: 'either',
      size: 4,
      members: [{ name: 'a', type: int, bitOffset: 0, bits: 0 }],
    })
    const values = [{ name: 'RED', value: -1 }]
    t.deepEqual(btf.type(enumeration), {
      kind: 'enum',
      id: enumeration,
      name: 'color',
      size: 4,
      signed: true,
      values,
    })
    t.deepEqual(btf.type(fwd), { kind: 'fwd', id: fwd, name: 'later', of: 'union' })
    t.deepEqual(btf.type(typedef), { kind: 'typedef', id: typedef, name: 's32', type: int })
    for (const [index, kind] of (['volatile', 'const', 'restrict'] as const).entries()) {
      const id = qualifiers[index] ?? 0
      t.deepEqual(btf.type(id), { kind, id, name: '', type: typedef })
      t.is(btf.resolve(id).id, int)
    }

    const params = [{ name: 'arg', type: ptr }]
    t.deepEqual(btf.type(proto), { kind: 'func_proto', id: proto, name: '', returns: int, params })
    t.deepEqual(btf.type(func), { kind: 'func', id: func, name: 'main', type: proto, linkage: 'global' })
    t.deepEqual(btf.type(variable), {
      kind: 'var',
      id: variable,
      name: 'counter',
      type: int,
      linkage: 'global',
    })
    const variables = [{ type: variable, offset: 8, size: 4 }]
    t.deepEqual(btf.type(datasec), { kind: 'datasec', id: datasec, name: '.bss', size: 12, variables })
    t.deepEqual(btf.type(float), { kind: 'float', id: float, name: 'double', size: 8 })
    t.deepEqual(btf.type(declTag), {
      kind: 'decl_tag',
      id: declTag,
      name: 'note',
      type: struct,
      component: -1,
    })
    t.is(btf.resolve(typeTag).id, int)
    t.deepEqual(btf.type(big), {
      kind: 'enum64',
      id: big,
      name: 'big',
      size: 8,
      signed: false,
      values: [{ name: 'RED', value: 0x8000000000000001n }],
    })
    t.deepEqual(btf.datasec('.bss'), {
      name: '.bss',
      size: 12,
      variables: [{ name: 'counter', type: int, offset: 8, size: 4, linkage: 'global' }],
    })
    t.is(btf.datasec('.data'), undefined)
    t.is(btf.sizeOf(array), 28)
    t.throws(() => btf.sizeOf(func), { instanceOf: RangeError, message: /func main has no size/ })
    t.throws(() => btf.type(a.nextId), { instanceOf: RangeError })
    t.throws(() => btf.type(1.5), { instanceOf: RangeError })
  })
}

test('a name is looked up within its kind', t => {
  const a = new BtfAssembler()
  a.add('fwd', 'sock', 0)
  const struct = a.composite('struct', 'sock', 0, [])
  a.composite('struct', 'socket', 0, [])
  const btf = Btf.parse(a.bytes())
  t.is(btf.findByName('struct', 'sock')?.id, struct)
  t.is(btf.findByName('struct', 'soc'), undefined)
  t.is(btf.findByName('union', 'sock'), undefined)
})

test('split BTF continues the ids and strings of its base', t => {
  const base = new BtfAssembler()
  const int = base.int('int', 4, { signed: true })
  const parsedBase = Btf.parse(base.bytes())
  // A split section's string offsets start where the base's strings end.
  const baseStrings = 1 + 'int'.length + 1
  const split = new BtfAssembler(true, base.nextId)
  const typedef = split.add('typedef', '', int)
  const bytes = split.bytes()
  new DataView(bytes.buffer).setUint32(24, 1, true)
  const btf = Btf.parse(bytes, parsedBase)
  t.is(btf.type(typedef).name, 'int')
  t.is(btf.type(int), parsedBase.type(int))
  t.is(btf.findByName('int', 'int')?.id, int)
  t.is(btf.findByName('typedef', 'int')?.id, typedef)
  t.is(btf.sizeOf(typedef), 4)

  const own = new BtfAssembler(true, base.nextId)
  own.string('fresh')
  const named = own.add('typedef', '', int)
  const ownBytes = own.bytes()
  new DataView(ownBytes.buffer).setUint32(24, baseStrings + 1, true)
  t.is(Btf.parse(ownBytes, parsedBase).type(named).name, 'fresh')
})

test('the size of a pointer follows that of long', t => {
  const narrow = new BtfAssembler()
  narrow.int('long int', 4, { signed: true })
  const pointer = narrow.add('ptr', '', 0)
  t.is(Btf.parse(narrow.bytes()).sizeOf(pointer), 4)
  const unknown = new BtfAssembler()
  t.is(Btf.parse(unknown.bytes()).pointerSize, 8)
})

test('a damaged header is refused with what is wrong', t => {
  const good = new BtfAssembler()
  good.int('int', 4)
  const damage = (offset: number, value: number) => {
    const bytes = good.bytes()
    new DataView(bytes.buffer).setUint32(offset, value, true)
    return () => Btf.parse(bytes)
  }

  t.throws(() => Btf.parse(new Uint8Array(23)), { instanceOf: RangeError, message: /needs 24 bytes/ })
  t.throws(damage(0, 0), { instanceOf: RangeError, message: /magic/ })
  t.throws(damage(0, 0x0002eb9f), { instanceOf: RangeError, message: /version 2/ })
  t.throws(damage(4, 8), { instanceOf: RangeError, message: /length 8/ })
  t.throws(damage(12, 0xffffff), { instanceOf: RangeError, message: /BTF types/ })
  t.throws(damage(12, 15), { instanceOf: RangeError, message: /type 1: its entries pass/ })
  t.throws(damage(20, 0xffffff), { instanceOf: RangeError, message: /BTF strings/ })
  t.throws(damage(20, 4), { instanceOf: RangeError, message: /no NUL/ })
  t.throws(damage(28, 31 * 0x1000000), { instanceOf: RangeError, message: /type 1: unknown kind 31/ })
  t.throws(() => [...Btf.parse(damageName(good.bytes())).types()], {
    instanceOf: RangeError,
    message: /its name/,
  })
})

const damageName = (bytes: Uint8Array) => {
  new DataView(bytes.buffer).setUint32(24, 99, true)
  return bytes
}

test('types that go in circles end in an error', t => {
  const a = new BtfAssembler()
  const first = a.add('typedef', 'a', 2)
  a.add('typedef', 'b', 1)
  const array = a.array(3, 1)
  const btf = Btf.parse(a.bytes())
  t.throws(() => btf.resolve(first), { instanceOf: RangeError, message: /no end/ })
  t.throws(() => btf.sizeOf(array), { instanceOf: RangeError, message: /no end/ })
})

test('a data section that points outside itself or at no variable is refused', t => {
  const a = new BtfAssembler()
  const int = a.int('int', 4)
  const variable = a.add('var', 'v', int, [1])
  a.add('datasec', '.data', 4, [variable, 1, 4], { entries: 1 })
  a.add('datasec', '.bss', 4, [int, 0, 4], { entries: 1 })
  const btf = Btf.parse(a.bytes())
  t.throws(() => btf.datasec('.data'), { instanceOf: RangeError, message: /v passes its end/ })
  t.throws(() => btf.datasec('.bss'), { instanceOf: RangeError, message: /not a variable/ })
})
