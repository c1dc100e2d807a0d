import test from 'ava'
import fc from 'fast-check'
import { formatCpuList, formatCpuMask, parseCpuList, parseCpuMask } from '../../src/system/cpu-list.js'

const cpuSet = fc.uniqueArray(fc.integer({ min: 0, max: 8191 }), { maxLength: 200 })
/** Most machines' CPUs are close together: ranges, and groups of the mask that are full. */
const closeCpuSet = fc.uniqueArray(fc.integer({ min: 0, max: 70 }))
const sorted = (cpus: number[]) => cpus.toSorted((a, b) => a - b)

test('lists are read and written as the kernel does', t => {
  t.deepEqual(parseCpuList('0-2,5\n'), [0, 1, 2, 5])
  t.deepEqual(parseCpuList('7'), [7])
  t.deepEqual(parseCpuList('3,1-2,2'), [1, 2, 3])
  t.deepEqual(parseCpuList('8191'), [8191])
  t.is(formatCpuList([5, 1, 0, 2, 1]), '0-2,5')
  t.is(formatCpuList([0, 1]), '0-1')
  t.is(formatCpuList([]), '')
})

test('masks are read and written as the kernel does', t => {
  t.deepEqual(parseCpuMask('3\n'), [0, 1])
  t.deepEqual(parseCpuMask('00000000,00000003'), [0, 1])
  t.deepEqual(parseCpuMask('1,00000000'), [32])
  t.deepEqual(parseCpuMask('80000000'), [31])
  t.deepEqual(parseCpuMask('F'), [0, 1, 2, 3])
  t.deepEqual(parseCpuMask('0'), [])
  t.is(formatCpuMask([0, 1]), '3')
  t.is(formatCpuMask([0, 1], 2), '3')
  t.is(formatCpuMask([0, 1], 8), '03')
  t.is(formatCpuMask([0, 1], 64), '00000000,00000003')
  t.is(formatCpuMask([32], 40), '01,00000000')
  t.is(formatCpuMask([31]), '80000000')
  t.is(formatCpuMask([]), '0')
})

test('what was written reads back, as a list and as a mask', t => {
  fc.assert(
    fc.property(fc.oneof(cpuSet, closeCpuSet), cpus => {
      if (cpus.length > 0) t.deepEqual(parseCpuList(formatCpuList(cpus)), sorted(cpus))
      t.deepEqual(parseCpuMask(formatCpuMask(cpus)), sorted(cpus))
      t.deepEqual(parseCpuMask(formatCpuMask(cpus, 8192)), sorted(cpus))
    }),
  )
})

test('a mask is the number whose bits are the CPUs, and as long as the machine’s', t => {
  fc.assert(
    fc.property(closeCpuSet, fc.integer({ min: 71, max: 200 }), (cpus, count) => {
      const mask = formatCpuMask(cpus, count)
      const number = cpus.reduce((sum, cpu) => sum + 2n ** BigInt(cpu), 0n)
      t.is(BigInt(`0x${mask.replaceAll(',', '')}`), number)
      t.is(mask.replaceAll(',', '').length, Math.ceil(count / 4))
      t.true(
        mask
          .split(',')
          .slice(1)
          .every(group => group.length === 8),
      )
    }),
  )
})

for (const text of [
  '',
  ' ',
  '-1',
  '1-',
  '2-1',
  '1,,2',
  'a',
  '1 2',
  '0-10:2/4',
  '0x3',
  '8192',
  '0-8192',
  '1e3',
  '9'.repeat(400),
]) {
  test(`'${text.slice(0, 20)}' is no list`, t => {
    const error = t.throws(() => parseCpuList(text), { instanceOf: RangeError })
    t.true((error?.message.length ?? 0) < 200)
  })
}

for (const text of ['', 'g', '3,', '000000003', '-1', '0x3', '3,g', `1${',00000000'.repeat(256)}`]) {
  test(`'${text.slice(0, 20)}' is no mask`, t => {
    t.throws(() => parseCpuMask(text), { instanceOf: RangeError })
  })
}

test('what is no CPU is not written', t => {
  for (const cpu of [-1, 0.5, 8192, Number.NaN]) {
    t.throws(() => formatCpuList([cpu]), { instanceOf: RangeError })
    t.throws(() => formatCpuMask([cpu]), { instanceOf: RangeError })
  }
  t.throws(() => formatCpuMask([2], 2), { instanceOf: RangeError, message: 'there is no CPU 2 among 2' })
})
