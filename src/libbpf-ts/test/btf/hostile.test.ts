import test from 'ava'
import fc from 'fast-check'
import { Btf, decode, encode, extractBtf, nameOf } from '../../lib/btf/index.js'
import { addShape, shapes } from './helpers/arbitrary.js'
import { BtfAssembler } from './helpers/assemble.js'

// The engine's own complaints mean that a check was forgotten.
const enginesOwn =
  /outside the bounds|Maximum call stack|Cannot |allocation|Invalid |is not (a function|iterable)/

const isTyped = (error: unknown): boolean =>
  (error instanceof RangeError || error instanceof TypeError) &&
  error.message.includes(': ') &&
  !enginesOwn.test(error.message)

const attempt = <Value>(action: () => Value): Value | undefined => {
  try {
    return action()
  } catch (error) {
    if (!isTyped(error)) {
      throw error
    }

    return undefined
  }
}

const exercise = (bytes: Uint8Array) => {
  const btf = attempt(() => Btf.parse(bytes))
  if (btf === undefined) {
    return
  }

  attempt(() => btf.datasec('.bss'))
  const content = new Uint8Array(256).fill(0x41)
  for (let id = 0; id < btf.typeCount; id++) {
    attempt(() => nameOf(btf, id))
    attempt(() => btf.sizeOf(id))
    const value = attempt(() => decode(btf, id, content))
    if (value !== undefined) {
      attempt(() => encode(btf, id, value, new Uint8Array(256)))
    }
  }
}

const sections = fc.tuple(shapes, fc.boolean()).map(([shape, littleEndian]) => {
  const assembler = new BtfAssembler(littleEndian)
  const { id, size } = addShape(assembler, shape)
  const variable = assembler.add('var', 'v', id, [1])
  assembler.add('datasec', '.bss', size, [variable, 0, size], { entries: 1 })
  return assembler.bytes()
})

test('BTF cut off anywhere gives a typed error or a part of the truth', t => {
  fc.assert(
    fc.property(sections, fc.nat(), (bytes, cut) => {
      exercise(bytes.slice(0, cut % bytes.length))
    }),
    { numRuns: 500 },
  )
  t.pass()
})

test('BTF with flipped bits never does worse than a typed error', t => {
  fc.assert(
    fc.property(sections, fc.array(fc.nat(), { minLength: 1, maxLength: 8 }), (bytes, flips) => {
      const damaged = bytes.slice()
      for (const flip of flips) {
        const bit = flip % (damaged.length * 8)
        damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      }

      exercise(damaged)
    }),
    { numRuns: 1000 },
  )
  t.pass()
})

test('a struct that contains itself is refused', t => {
  const a = new BtfAssembler()
  const named = a.composite('struct', 'loop', 8, [{ name: 'self', type: 1, bitOffset: 0 }])
  const anonymous = a.composite('struct', 'bare', 8, [{ name: '', type: 2, bitOffset: 0 }])
  const btf = Btf.parse(a.bytes())
  for (const id of [named, anonymous]) {
    t.throws(() => decode(btf, id, new Uint8Array(8)), { instanceOf: RangeError, message: /nested deeper/ })
    t.throws(() => encode(btf, id, {}, new Uint8Array(8)), { message: /nested deeper|self: missing/ })
  }
})

test('unions that double at every level are refused, not unfolded', t => {
  for (const name of ['named', '']) {
    const a = new BtfAssembler()
    let inner = a.int('u8', 1)
    for (let level = 0; level < 25; level++) {
      inner = a.composite('union', `level${level}`, 1, [
        { name: name && 'a', type: inner, bitOffset: 0 },
        { name: name && 'b', type: inner, bitOffset: 0 },
      ])
    }

    const btf = Btf.parse(a.bytes())
    t.throws(() => decode(btf, inner, new Uint8Array(1)), { instanceOf: RangeError, message: /more values/ })
  }
})

test('endless arrays of nothing are refused', t => {
  const a = new BtfAssembler()
  const array = a.array(a.composite('struct', 'empty', 0, []), 0xffffffff)
  const btf = Btf.parse(a.bytes())
  t.throws(() => decode(btf, array, new Uint8Array(8)), { instanceOf: RangeError, message: /more values/ })
})

test('sizes beyond 32 bits are refused', t => {
  const a = new BtfAssembler()
  let inner = a.int('u8', 1)
  for (let level = 0; level < 5; level++) {
    inner = a.array(inner, 0xffffffff)
  }

  const btf = Btf.parse(a.bytes())
  t.throws(() => btf.sizeOf(inner), { instanceOf: RangeError, message: /beyond 32 bits/ })
})

test('a member outside its struct is refused', t => {
  const a = new BtfAssembler()
  const u32 = a.int('u32', 4)
  const outside = a.composite('struct', 's', 4, [{ name: 'm', type: u32, bitOffset: 8 }])
  const crooked = a.composite('struct', 's', 8, [{ name: 'm', type: u32, bitOffset: 3 }])
  const btf = Btf.parse(a.bytes())
  t.throws(() => decode(btf, outside, new Uint8Array(8)), { message: /member m of s ends at bit 40/ })
  t.throws(() => decode(btf, crooked, new Uint8Array(8)), { message: /inside a byte/ })
})

const elf32 = (btf: Uint8Array): Uint8Array => {
  const names = Buffer.from('\0.BTF\0.names\0')
  const table = 52 + btf.length + names.length
  const bytes = new Uint8Array(table + 3 * 40)
  const view = new DataView(bytes.buffer)
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 2, 1])
  view.setUint32(0x20, table)
  view.setUint16(0x2e, 40)
  view.setUint16(0x30, 3)
  view.setUint16(0x32, 2)
  bytes.set(btf, 52)
  bytes.set(names, 52 + btf.length)
  const section = (index: number, name: number, offset: number, size: number) => {
    const at = table + index * 40
    view.setUint32(at, name)
    view.setUint32(at + 4, 1)
    view.setUint32(at + 0x10, offset)
    view.setUint32(at + 0x14, size)
  }

  section(1, 1, 52, btf.length)
  section(2, 6, 52 + btf.length, names.length)
  return bytes
}

test('the .BTF of a 32-bit big-endian object is found', t => {
  const content = new BtfAssembler(false).bytes()
  t.deepEqual(extractBtf(elf32(content)), content)
})

test('a damaged ELF object never does worse than an error of ours', t => {
  const whole = elf32(new BtfAssembler(false).bytes())
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(255), (cut, place, byte) => {
      const damaged = whole.slice(0, 1 + (cut % whole.length))
      damaged[place % damaged.length] = byte
      try {
        extractBtf(damaged)
      } catch (error) {
        t.true(isTyped(error) || /has no \.BTF section/.test(String(error)), String(error))
      }
    }),
    { numRuns: 1000 },
  )
  t.throws(() => extractBtf(new Uint8Array(100)), { instanceOf: RangeError, message: /magic/ })
})
