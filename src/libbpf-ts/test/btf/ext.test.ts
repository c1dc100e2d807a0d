import test from 'ava'
import fc from 'fast-check'
import { Btf, readFunctions } from '../../lib/btf/index.js'
import { BtfAssembler } from './helpers/assemble.js'

const build = (littleEndian: boolean) => {
  const a = new BtfAssembler(littleEndian)
  const proto = a.add('func_proto', '', 0)
  const first = a.add('func', 'first', proto, [], { entries: 1 })
  const second = a.add('func', 'second', proto, [], { entries: 1 })
  const section = a.string('raw_tp/sched_switch')
  const functions = [12, section, 2, 0, first, 0, 64, second, 0]
  const ext = new Uint8Array(24 + functions.length * 4)
  const view = new DataView(ext.buffer)
  view.setUint16(0, 0xeb9f, littleEndian)
  view.setUint8(2, 1)
  for (const [index, word] of [24, 0, functions.length * 4, 0, 0, ...functions].entries()) {
    view.setUint32(4 + index * 4, word, littleEndian)
  }

  return { btf: Btf.parse(a.bytes()), ext, first, second }
}

for (const littleEndian of [true, false]) {
  test(`functions are listed with their section, ${littleEndian ? 'little' : 'big'}-endian`, t => {
    const { btf, ext, first, second } = build(littleEndian)
    const section = 'raw_tp/sched_switch'
    t.deepEqual(readFunctions(ext, btf), [
      { name: 'first', section, offset: 0, type: first },
      { name: 'second', section, offset: 64, type: second },
    ])
  })
}

test('damaged function information gives an error of ours or a part of the truth', t => {
  const { btf, ext } = build(true)
  t.throws(() => readFunctions(ext.subarray(0, 30), btf), { instanceOf: RangeError, message: /past the end/ })
  t.throws(() => readFunctions(new Uint8Array(24), btf), { instanceOf: RangeError, message: /magic/ })
  fc.assert(
    fc.property(fc.nat(ext.length), fc.nat(ext.length - 1), fc.nat(255), (cut, place, byte) => {
      const damaged = ext.slice(0, cut)
      damaged[place] = byte
      try {
        readFunctions(damaged, btf)
      } catch (error) {
        t.regex(String(error), /^RangeError: BTF/)
      }
    }),
    { numRuns: 1000 },
  )
})
