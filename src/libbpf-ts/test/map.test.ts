import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import test from 'ava'
import { readEntries } from '../lib/entries.js'
import { BpfError, BpfObject, possibleCpus } from '../lib/index.js'
import { findPlace } from '../lib/place.js'
import { runChild } from './helpers/child.js'
import { kernelTest } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

interface Key {
  port: number
  protocol: number
  padding: number
}

interface Value {
  bytes: bigint
  balance: number
  open: number
  padding: number[]
}

const makeKey = (port: number): Key => ({ port, protocol: port % 7, padding: 0 })
const makeValue = (number: number): Value => ({
  bytes: 2n ** 60n + BigInt(number),
  balance: 5 - number,
  open: number % 2,
  padding: [1, 2, 3],
})

const load = () => BpfObject.open(compileObject('maps')).load()

test('the room of a map is set before the load', t => {
  using object = BpfObject.open(compileObject('maps'))
  object.map('hash').setMaxEntries(5)
  t.is(object.map('hash').maxEntries, 5)
  object.map('ring').setMaxEntries(5000)
  t.is(object.map('ring').maxEntries, 8192)
  t.throws(() => object.map('hash').setMaxEntries(-1), { instanceOf: RangeError, message: /maxEntries/ })
  t.throws(() => object.map('hash').setMaxEntries('5' as never), { instanceOf: TypeError })
})

test('the room of global data is not to be set', async t => {
  // In a process of its own: libbpf would take memory away from it.
  const code = `
    const object = BpfObject.open(process.argv[2])
    try {
      object.map('counter.bss').setMaxEntries(2 ** 32 - 1)
    } catch (error) {
      console.log(error.name, error.message)
    }
    object.close()
    console.log('closed')`
  t.like(await runChild(code, [compileObject('counter')]), {
    code: 0,
    signal: null,
    stdout: 'TypeError The map counter.bss holds global data: its room is fixed\nclosed\n',
  })
})

kernelTest('a hash keeps decoded values by decoded keys', t => {
  using object = load()
  const hash = object.map<Key, Value>('hash')
  t.is(hash.get(makeKey(80)), undefined)
  t.false(hash.has(makeKey(80)))
  hash.set(makeKey(80), makeValue(1))
  t.deepEqual(hash.get(makeKey(80)), makeValue(1))
  t.true(hash.has(makeKey(80)))
  t.throws(() => hash.set(makeKey(80), makeValue(2), 'create'), { instanceOf: BpfError, code: 'EEXIST' })
  t.throws(() => hash.set(makeKey(81), makeValue(2), 'replace'), { instanceOf: BpfError, code: 'ENOENT' })
  hash.set(makeKey(80), makeValue(2), 'replace')
  t.deepEqual([...hash], [[makeKey(80), makeValue(2)]])
  t.true(hash.delete(makeKey(80)))
  t.false(hash.delete(makeKey(80)))
  t.deepEqual([...hash.keys()], [])
})

kernelTest('raw bytes go past the decoding', t => {
  using object = load()
  const hash = object.map('hash')
  const key = Uint8Array.of(80, 0, 6, 0)
  const value = new Uint8Array(16).fill(7)
  hash.setBytes(key, value)
  t.deepEqual(hash.getBytes(key), value)
  const into = new Uint8Array(16)
  t.is(hash.getBytes(key, into), into)
  t.deepEqual(into, value)
  t.deepEqual(hash.get(key), hash.get({ port: 80, protocol: 6, padding: 0 }))
  t.true(hash.deleteBytes(key))
  t.throws(() => hash.getBytes(new Uint8Array(3)), { instanceOf: RangeError, message: /^key/ })
  t.throws(() => hash.getBytes(key, new Uint8Array(15)), { instanceOf: RangeError, message: /^into/ })
  t.throws(() => hash.setBytes(key, new Uint8Array(17)), { instanceOf: RangeError, message: /^value/ })
  t.throws(() => hash.set(key, value, 'sometimes' as never), { instanceOf: TypeError, message: /mode/ })
  t.throws(() => hash.set({ port: 80 }, value), { instanceOf: TypeError, message: /^key/ })
})

kernelTest('all elements are read, in batches and one by one alike', t => {
  using object = load()
  const hash = object.map<Key, Value>('hash')
  for (let port = 0; port < 10_000; port++) {
    hash.set(makeKey(port), makeValue(port))
  }

  t.throws(() => hash.set(makeKey(10_000), makeValue(0)), { instanceOf: BpfError, code: 'E2BIG' })
  const seen = new Map([...hash].map(([key, value]) => [key.port, value]))
  t.is(seen.size, 10_000)
  t.deepEqual(seen.get(1234), makeValue(1234))
  t.deepEqual([...hash.values()].length, 10_000)

  const { object: handle, index } = findPlace(hash, 'hash')
  const sorted = (batches: boolean) => {
    const { count, keys } = readEntries(handle, index, undefined, batches)
    return [...new Uint32Array(keys.buffer, 0, count)].sort((a, b) => a - b)
  }

  t.is(sorted(false).length, 10_000)
  t.deepEqual(sorted(true), sorted(false))
})

kernelTest('a later read uses the memory of an earlier one', t => {
  using object = load()
  const array = object.map<number, Value>('array')
  array.set(7, makeValue(7))
  const first = array.readAll()
  t.is(first.count, 100)
  array.set(7, makeValue(8))
  const second = array.readAll(first)
  t.is(second.count, 100)
  t.is(second.values.buffer, first.values.buffer)
  t.is(second.keys.buffer, first.keys.buffer)
  t.deepEqual(second.values.subarray(7 * 16, 8 * 16), array.getBytes(Uint8Array.of(7, 0, 0, 0)))
  t.throws(() => array.readAll({ keys: [] } as never), { instanceOf: TypeError, message: /reuse/ })
})

kernelTest('a map without batch operations is read all the same', t => {
  using object = load()
  const devices = object.map<Uint8Array, Uint8Array>('devices')
  const key = Uint8Array.of(9, 0, 0, 0)
  devices.set(key, Uint8Array.of(1, 0, 0, 0))
  t.deepEqual([...devices], [[key, Uint8Array.of(1, 0, 0, 0)]])
  t.throws(() => devices.get(9 as never), { instanceOf: TypeError, message: /^key must be a Uint8Array/ })
})

kernelTest('per-CPU values are one for each possible CPU', t => {
  using object = load()
  const hash = object.map<number, Value[]>('per_cpu_hash')
  const values = Array.from({ length: possibleCpus() }, (_, cpu) => makeValue(cpu))
  hash.set(1, values)
  t.deepEqual(hash.get(1), values)
  t.throws(() => hash.set(1, values.slice(1)), { instanceOf: TypeError, message: /^value/ })
  const array = object.map<number, number[][]>('per_cpu_array')
  array.set(
    2,
    values.map((_, cpu) => [cpu, 1, 255]),
  )
  t.deepEqual(
    [...array.values()],
    [values.map(() => [0, 0, 0]), values.map(() => [0, 0, 0]), values.map((_, cpu) => [cpu, 1, 255])],
  )
})

kernelTest('an LRU hash takes more keys than it has room for', t => {
  using object = load()
  const lru = object.map<number, number>('lru')
  for (let key = 0; key < 1000; key++) {
    lru.set(key, key)
  }

  t.true([...lru].length <= 100)
  t.is(lru.get(999), 999)
})

kernelTest('an LPM trie finds the longest prefix', t => {
  using object = load()
  const lpm = object.map<{ prefix_length: number; address: number[] }, number>('lpm')
  lpm.set({ prefix_length: 8, address: [10, 0, 0, 0] }, 1)
  lpm.set({ prefix_length: 24, address: [10, 1, 2, 0] }, 2)
  t.is(lpm.get({ prefix_length: 32, address: [10, 1, 2, 3] }), 2)
  t.is(lpm.get({ prefix_length: 32, address: [10, 9, 9, 9] }), 1)
  t.is(lpm.get({ prefix_length: 32, address: [11, 9, 9, 9] }), undefined)
  t.is([...lpm].length, 2)
})

kernelTest('socket storage is keyed by the descriptor of a socket', async t => {
  using object = load()
  const storage = object.map<number, Value>('by_socket')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.truthy((server.address() as AddressInfo).port)
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle
  t.is(storage.get(fd), undefined)
  storage.set(fd, makeValue(5))
  t.deepEqual(storage.get(fd), makeValue(5))
  t.true(storage.delete(fd))
  server.close()
})

kernelTest('mapped memory is the map, and outlives the object', t => {
  const object = load()
  const mapped = object.map<number, number>('mapped')
  const memory = mapped.mmap()
  t.is(memory.length, 40)
  mapped.set(1, 0x01020304)
  t.deepEqual([...memory.subarray(8, 12)], [4, 3, 2, 1])
  memory[16] = 9
  t.is(mapped.get(2), 9)
  t.throws(() => object.map('array').mmap(), { instanceOf: TypeError, message: /BPF_F_MMAPABLE/ })
  object.close()
  t.is(memory[16], 9)
  t.throws(() => mapped.mmap(), { code: 'ERR_CLOSED' })
})

kernelTest('what a kind of map does not do is an error', t => {
  using object = load()
  t.throws(() => object.map('array').delete(1), { instanceOf: BpfError, code: 'EINVAL' })
  t.throws(() => [...object.map('ring')], { instanceOf: TypeError, message: /no keys/ })
  t.is(object.map('array').get(1000), undefined)
  t.throws(() => object.map('hash').setMaxEntries(7), { instanceOf: BpfError, code: 'EBUSY' })
  t.like(object.map('hash').info(), { name: 'hash', type: 'hash', keySize: 4, valueSize: 16 })
})
