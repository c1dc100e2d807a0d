import { readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import test from 'ava'
import { BpfError, BpfObject, Btf } from '../lib/index.js'
import { callGetuid, getuidCall, kernelTest, openCounter } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

const counter = compileObject('counter')

test('an object lists its programs, maps and variables with their types', t => {
  using object = BpfObject.open(counter)
  t.is(object.name, 'counter')
  t.deepEqual(
    [...object.programs.values()].map(({ name, sectionName, type }) => [name, sectionName, type]),
    [
      ['count_typed', 'tp_btf/sys_enter', 'tracing'],
      ['count_raw', 'raw_tp/sys_enter', 'raw_tracepoint'],
      ['count_nothing', 'tp_btf/no_such_tracepoint', 'tracing'],
    ],
  )
  const { type, keyType, valueType, keySize, valueSize, maxEntries } = object.map('by_process')
  t.deepEqual(
    { type, keyType, valueType, keySize, valueSize, maxEntries },
    {
      type: 'hash',
      keyType: '__u32',
      valueType: 'struct sample',
      keySize: 4,
      valueSize: 16,
      maxEntries: 1024,
    },
  )
  t.deepEqual(
    new Map(
      [...object.variables.values()].map(({ name, section, type, readOnly }) => [
        name,
        [section, type, readOnly],
      ]),
    ),
    new Map([
      ['wanted_tgid', ['.rodata', 'int', true]],
      ['wanted_call', ['.rodata', '__s64', true]],
      ['settings', ['.rodata', 'struct settings', true]],
      ['label', ['.rodata', 'char[16]', true]],
      ['calls', ['.bss', '__u64', false]],
      ['history', ['.bss', '__u32[4]', false]],
      ['last_pid', ['.data', '__s32', false]],
      ['start', ['.data', '__u64', false]],
    ]),
  )
  t.deepEqual(
    ['wanted_tgid', 'settings', 'label', 'history', 'last_pid', 'start'].map(name =>
      object.variable(name).get(),
    ),
    [0, { step: 1, enabled: 1 }, 'none', [0, 0, 0, 0], -1, 100n],
  )
})

test('an object opens from bytes, with a name', t => {
  using object = BpfObject.open(readFileSync(counter), { name: 'given' })
  t.is(object.name, 'given')
  t.true(object.maps.has('given.bss'))
})

test('a name that is not there is answered with those that are', t => {
  using object = BpfObject.open(counter)
  t.throws(() => object.program('nope'), {
    instanceOf: RangeError,
    message: /program "nope".*count_typed, count_raw/,
  })
  t.throws(() => object.map('nope'), { instanceOf: RangeError, message: /map "nope".*by_process/ })
  t.throws(() => object.variable('nope'), { instanceOf: RangeError, message: /variable "nope".*calls/ })
})

test('what is no object is refused with the reason', t => {
  const missing = t.throws(() => BpfObject.open('/proc/self/nonexistent.bpf.o'), { instanceOf: BpfError })
  t.is(missing.code, 'ENOENT')
  t.regex(missing.message, /open \/proc\/self\/nonexistent\.bpf\.o/)
  t.throws(() => BpfObject.open(new Uint8Array(100)), { instanceOf: BpfError })
  t.throws(() => BpfObject.open(new Uint8Array(0)), { instanceOf: RangeError, message: /source/ })
  t.throws(() => BpfObject.open(readFileSync(counter).subarray(0, 1000)), { instanceOf: BpfError })
})

test('wrong arguments of open are named', t => {
  t.throws(() => BpfObject.open(5 as never), { instanceOf: TypeError, message: /source/ })
  t.throws(() => BpfObject.open(counter, { name: 5 as never }), { instanceOf: TypeError, message: /name/ })
  t.throws(() => BpfObject.open(counter, { btfPath: 'a\0b' }), { instanceOf: RangeError, message: /btfPath/ })
  t.throws(() => BpfObject.open(counter, { nmae: 'x' } as never), { instanceOf: TypeError, message: /nmae/ })
  t.throws(() => BpfObject.open(counter, null as never), { instanceOf: TypeError, message: /options/ })
})

test('variables take only what fits them', t => {
  using object = BpfObject.open(counter)
  t.throws(() => object.variable('wanted_tgid').set('x'), { instanceOf: TypeError, message: /wanted_tgid/ })
  t.throws(() => object.variable('wanted_tgid').set(2 ** 40), {
    instanceOf: RangeError,
    message: /wanted_tgid/,
  })
  t.throws(() => object.variable('settings').set({ step: 1, enabled: 300 }), {
    instanceOf: RangeError,
    message: /settings\.enabled/,
  })
  object.variable('label').set('some text')
  t.is(object.variable('label').get(), 'some text')
  object.variable('history').set([1, 2, 3, 4])
  t.deepEqual(object.variable('history').get(), [1, 2, 3, 4])
})

test('a closed object throws, and closing it again does not', t => {
  const object = BpfObject.open(counter)
  object.close()
  object.close()
  t.true(object.closed)
  for (const use of [
    () => object.name,
    () => object.load(),
    () => object.program('count_raw').autoload,
    () => object.map('by_process').get(1),
    () => object.map('by_process').setMaxEntries(1),
    () => object.variable('calls').get(),
    () => object.variable('calls').set(1n),
  ]) {
    t.throws(use, { code: 'ERR_CLOSED' })
  }
})

test('what needs a loaded object says so', t => {
  using object = BpfObject.open(counter)
  t.is(object.program('count_raw').fd, undefined)
  t.throws(() => object.program('count_raw').attach(), { code: 'ERR_NOT_LOADED', message: /count_raw/ })
  t.throws(() => object.program('count_raw').info(), { code: 'ERR_NOT_LOADED' })
  t.throws(() => object.map('by_process').get(1), { code: 'ERR_NOT_LOADED', message: /by_process/ })
})

kernelTest('a loaded object runs with its settings and is seen through its variables', t => {
  using object = openCounter()
  object.variable('settings').set({ step: 3, enabled: 1 })
  object.variable('start').set(1000n)
  object.variable('calls').set(6n)
  object.load()
  t.true(object.loaded)
  t.deepEqual(object.variable('settings').get(), { step: 3, enabled: 1 })
  const live = object.variable('calls').bytes
  const link = object.program('count_typed').attach()
  callGetuid(5)
  link.close()
  callGetuid(5)
  t.is(object.variable('calls').get(), 21n)
  t.is(object.variable('start').get(), 1015n)
  t.is(new DataView(live.buffer, live.byteOffset).getBigUint64(0, true), 21n)
  t.like(object.map('by_process').get(process.pid), { calls: 5n, pid: process.pid })
  object.variable('calls').set(0n)
  t.is(object.variable('calls').get(), 0n)
  t.throws(() => object.variable('wanted_tgid').set(1), { instanceOf: TypeError, message: /read-only/ })
})

kernelTest('only chosen programs are loaded', t => {
  using object = openCounter()
  object.program('count_typed').autoload = false
  object.load()
  t.is(object.program('count_typed').fd, undefined)
  t.true((object.program('count_raw').fd ?? -1) >= 0)
  t.throws(
    () => {
      object.program('count_raw').autoload = false
    },
    { instanceOf: BpfError, code: 'EINVAL' },
  )
  t.throws(() => object.load(), { code: 'ERR_ALREADY_LOADED' })
})

kernelTest('a refusal names the program and brings the verifier log', t => {
  using object = BpfObject.open(compileObject('refused'))
  const error = t.throws(() => object.load(), { instanceOf: BpfError })
  t.is(error.code, 'EACCES')
  t.is(error.errno, 13)
  t.is(error.operation, 'load')
  t.is(error.program, 'unchecked')
  t.regex(error.log ?? '', /map_value_or_null/)
  t.false(object.loaded)
})

kernelTest('a tracepoint that is not there is named in the log', t => {
  using object = BpfObject.open(counter)
  const error = t.throws(() => object.load(), { instanceOf: BpfError })
  t.is(error.program, 'count_nothing')
  t.regex(error.log ?? '', /no_such_tracepoint/)
})

/** Where the running kernel has a field of its threads, in bytes. */
const offsetInThread = (field: string): number => {
  const btf = Btf.parse(new Uint8Array(readFileSync('/sys/kernel/btf/vmlinux')))
  const thread = btf.findByName('struct', 'task_struct')
  const member = thread?.kind === 'struct' ? thread.members.find(({ name }) => name === field) : undefined
  return (member?.bitOffset ?? Number.NaN) / 8
}

kernelTest('custom BTF is what programs are relocated to', t => {
  // Its tgid is where this kernel has a thread's priority, which the program therefore reads.
  const moved = compileObject('moved', `-DTGID_OFFSET=${offsetInThread('prio')}`)
  const priority = 120 + getPriority()
  for (const btfPath of ['/sys/kernel/btf/vmlinux', moved]) {
    using object = BpfObject.open(counter, { btfPath })
    object.program('count_nothing').autoload = false
    object.variable('wanted_tgid').set(priority)
    object.variable('wanted_call').set(getuidCall)
    object.load()
    const link = object.program('count_raw').attach()
    callGetuid(5)
    link.close()
    const calls = object.variable<bigint>('calls').get()
    // Others of that priority may call as well.
    t.true(btfPath === moved ? calls >= 5n : calls === 0n, `${calls} with ${btfPath}`)
  }

  using other = BpfObject.open(counter, { btfPath: '/proc/self/nonexistent' })
  other.program('count_nothing').autoload = false
  const error = t.throws(() => other.load(), { instanceOf: BpfError })
  t.regex(error.log ?? '', /BTF/)
})
