import test from 'ava'
import fc from 'fast-check'
import { Store } from '../../src/demo/store.js'

test('keeps values, flags and a number for each change', t => {
  const store = new Store(10_000)
  store.set('a', Buffer.from('1'), 7, 0)
  store.set('b', Buffer.from('2'), 0, 0)
  t.deepEqual(store.get('a')?.value, Buffer.from('1'))
  t.is(store.get('a')?.flags, 7)
  t.true((store.get('b')?.cas ?? 0) > (store.get('a')?.cas ?? 0))
  t.is(store.get('c'), null)
})

test('evicts what was used longest ago', t => {
  const store = new Store(3 * (1 + 100 + 64))
  for (const key of ['a', 'b', 'c']) store.set(key, Buffer.alloc(100), 0, 0)
  store.get('a')
  store.set('d', Buffer.alloc(100), 0, 0)
  t.is(store.get('b'), null)
  for (const key of ['a', 'c', 'd']) t.not(store.get(key), null)
  t.is(store.evictions, 1)
})

test('does not give what has expired', t => {
  const store = new Store(10_000)
  store.set('a', Buffer.from('1'), 0, -1)
  t.is(store.get('a'), null)
  t.is(store.size, 0)
  store.set('a', Buffer.from('1'), 0, -1)
  t.false(store.delete('a'))
  store.set('a', Buffer.from('1'), 0, 1_000_000_000)
  t.is(store.get('a'), null, 'a date that has passed')
  store.set('a', Buffer.from('1'), 0, 1000)
  t.not(store.get('a'), null)
  t.true(store.delete('a'))
  t.false(store.delete('a'))
})

test('never takes more than its limit, and accounts for all', t => {
  const operation = fc.record({
    isSet: fc.boolean(),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    length: fc.nat(400),
  })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), operations => {
      const store = new Store(1000)
      for (const { isSet, key, length } of operations) {
        if (isSet) store.set(key, Buffer.alloc(length), 0, 0)
        else store.delete(key)
        if (store.bytes > store.limitBytes) return false
      }
      for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) store.delete(key)
      return store.bytes === 0 && store.size === 0
    }),
  )
  t.pass()
})
