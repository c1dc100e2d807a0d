import test from 'ava'
import * as v from 'valibot'
import { listMoves, resolveCpus } from '../../src/knobs/cpu-values.js'
import { type Change, InvalidValue, Unavailable } from '../../src/knobs/knob.js'
import { keepOffering, readWhole, readWord } from '../../src/knobs/number-values.js'
import { parseCoalesce } from '../../src/knobs/places/coalesce.js'
import { isSameValue, isValueOf, placeSchema } from '../../src/knobs/places/place.js'
import type { Nic, NicIrq } from '../../src/system/nics.js'

const machine = { online: [0, 1, 2, 3], nics: [], moves: new Map() }

test('CPUs are named by words and lists, and are online', t => {
  t.deepEqual(resolveCpus('all', machine), [0, 1, 2, 3])
  t.deepEqual(resolveCpus('first', machine), [0])
  t.deepEqual(resolveCpus('1-2', machine), [1, 2])
  t.throws(() => resolveCpus('4', machine), { instanceOf: InvalidValue, message: /CPU 4 is not online/ })
  t.throws(() => resolveCpus('', machine), { instanceOf: InvalidValue })
  t.throws(() => resolveCpus('not-irq', machine), { instanceOf: Unavailable, message: /no interrupt/ })
})

const createNic = (irqs: NicIrq[]): Nic => ({
  name: 'eth0',
  driver: null,
  isPhysical: true,
  isUp: true,
  node: null,
  rxQueues: [0],
  txQueues: [0],
  irqs,
  rxPackets: 0,
  txPackets: 0,
  speedMbps: null,
})

/** Interrupts that no machine has: what is known of them is where they are moved. */
const queueIrq = (irq: number, queue: number): NicIrq => ({
  irq,
  name: `eth0-rx-${queue}`,
  queue,
  direction: 'rx',
})
const linkIrq: NicIrq = { irq: 900_009, name: 'eth0', queue: null, direction: null }

test("the interrupts' CPUs are those that settings before move them to, and of the queues alone", t => {
  const nics = [createNic([queueIrq(900_000, 0), queueIrq(900_001, 1), linkIrq])]
  const moves = listMoves([
    irqChange(900_000, '1'),
    irqChange(900_001, '2-3'),
    irqChange(900_009, '0'),
    { place: { kind: 'latency' }, to: '3', from: '0' },
  ])
  const facts = { online: [0, 1, 2, 3], nics, moves }
  t.deepEqual(resolveCpus('irq', facts), [1, 2, 3])
  t.deepEqual(resolveCpus('not-irq', facts), [0])
  const everywhere = { ...facts, moves: listMoves([irqChange(900_000, '0-3')]) }
  t.throws(() => resolveCpus('not-irq', everywhere), { instanceOf: InvalidValue, message: /leaves no CPU/ })
})

const irqChange = (irq: number, to: string): Change => ({
  place: { kind: 'file', path: `/proc/irq/${irq}/smp_affinity_list`, form: 'list' },
  to,
  from: '0-3',
})

test('a word that is known but not offered is nothing wrong, and one that is offered somewhere is set there', t => {
  const offers = { a: ['fast'], b: ['fast', 'slow'], c: [] as string[] }
  const keep = (value: string) =>
    keepOffering(value, ['fast', 'slow', 'lazy'], ['a', 'b', 'c'] as const, name => offers[name])
  t.deepEqual(keep('fast'), ['a', 'b'])
  t.deepEqual(keep('slow'), ['b'])
  t.throws(() => keep('lazy'), { instanceOf: Unavailable, message: /not offered here \(try fast, slow\)/ })
  t.throws(() => keep('fsat'), { instanceOf: InvalidValue, message: /try fast, slow/ })
})

test('numbers and words are bounded', t => {
  t.is(readWhole('0050', 0, 100, 'µs'), '50')
  for (const value of ['-1', '1e3', '101', '', ' 5', '0x5']) {
    t.throws(
      () => readWhole(value, 0, 100, 'µs'),
      { instanceOf: InvalidValue, message: /try 0 to 100/ },
      value,
    )
  }
  t.throws(() => readWord('constructor', ['on', 'off']), { message: /try on, off/ })
})

test('of what ethtool prints a parameter is found, and "n/a" is none', t => {
  const text =
    'Coalesce parameters for eth0:\nAdaptive RX: off  TX: n/a\nrx-usecs: 3\nrx-usecs-irq: 9\nrx-frames: n/a\n'
  t.is(parseCoalesce(text, 'adaptive-rx'), 'off')
  t.is(parseCoalesce(text, 'adaptive-tx'), null)
  t.is(parseCoalesce(text, 'rx-usecs'), '3')
  t.is(parseCoalesce(text, 'rx-frames'), null)
})

test('a place is one of those that taut sets, whatever a journal says', t => {
  const isPlace = (path: string): boolean => v.is(placeSchema, { kind: 'file', path, form: 'text' })
  t.true(isPlace('/sys/class/net/eth0/threaded'))
  t.true(isPlace('/proc/irq/24/smp_affinity_list'))
  for (const path of [
    '/etc/passwd',
    '/sys/class/net/../../../etc/threaded',
    '/sys/class/net/../threaded',
    '/sys/class/net/a/b/threaded',
    '/proc/irq/24/../../sysrq-trigger',
    '/proc/sys/net/core/busy_poll\n/etc/passwd',
    '/proc/sys/kernel/core_pattern',
  ])
    t.false(isPlace(path), path)
  t.false(v.is(placeSchema, { kind: 'coalesce', nic: '-h', parameter: 'rx-usecs' }))
})

test('values that mean the same are the same, and hostile ones are none', t => {
  const mask = { kind: 'file', path: '/sys/class/net/a/queues/rx-0/rps_cpus', form: 'mask' } as const
  const list = { kind: 'file', path: '/proc/irq/1/smp_affinity_list', form: 'list' } as const
  t.true(isSameValue(mask, '3', '00000000,00000003'))
  t.false(isSameValue(mask, '3', '30'))
  t.true(isSameValue(list, '0,1,2', '0-2'))
  t.false(isSameValue(list, '0', '0-2'))
  t.false(isValueOf(list, '0\n1'))
  t.false(isValueOf({ kind: 'latency' }, 'x'))
  t.true(isValueOf({ kind: 'affinity', pid: 1, startTime: 1, comm: 'a' }, '0-3 812@5120=1'))
  t.false(isValueOf({ kind: 'affinity', pid: 1, startTime: 1, comm: 'a' }, '--help'))
})
