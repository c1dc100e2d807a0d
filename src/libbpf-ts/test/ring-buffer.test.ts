import { setImmediate } from 'node:timers/promises'
import { type Batch, BpfObject, RingBuffer } from '../lib/index.js'
import { runChild } from './helpers/child.js'
import { callGetuid, getuidCall, kernelTest } from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

const load = (settings: { burst?: number; discardEvery?: number } = {}, ...flags: readonly string[]) => {
  const object = BpfObject.open(compileObject('records', ...flags))
  object.variable('wanted_tid').set(process.pid)
  object.variable('wanted_call').set(getuidCall)
  object.variable('burst').set(settings.burst ?? 1)
  object.variable('discard_every').set(settings.discardEvery ?? 0)
  return object.load()
}

const countOf = (object: BpfObject, name: string): number => Number(object.variable<bigint>(name).get())

const numbersOf = (batch: Batch): number[] => {
  const words = new Uint32Array(batch.buffer)
  return [...batch.offsets.subarray(0, batch.count)].map(offset => words[offset / 4] ?? 0)
}

const rangeOf = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

kernelTest('records are drained in order, framed and whole', t => {
  using object = load({ burst: 10 })
  using ring = new RingBuffer(object.map('ring'))
  t.is(ring.drain(), undefined)
  const link = object.program('write_records').attach()
  callGetuid(3)
  link.close()
  t.is(ring.available()[0]?.unreadBytes, 30 * 72)
  const batch = ring.drain()
  t.truthy(batch)
  if (batch !== undefined) {
    t.is(batch.map, object.map('ring'))
    t.deepEqual(numbersOf(batch), rangeOf(1, 30))
    t.deepEqual(
      [...batch].map(record => [record.length, record[0]]),
      rangeOf(1, 30).map(number => [64, number]),
    )
    t.is(batch.length(29), 64)
    t.is(batch.frames.length, 30 * 72)
    t.throws(() => batch.record(30), { instanceOf: RangeError, message: /index/ })
    t.throws(() => batch.length(-1), { instanceOf: RangeError, message: /index/ })
  }

  t.is(ring.drain(), undefined)
  t.deepEqual(ring.available(), [{ map: object.map('ring'), sizeBytes: 2 ** 24, unreadBytes: 0 }])
})

kernelTest('a ring that wraps around loses nothing, and batches use the same memory', t => {
  using object = load({ burst: 7 })
  using ring = new RingBuffer(object.map('small_ring'), { batchBytes: 256 })
  using _link = object.program('write_small_records').attach()
  const seen: number[] = []
  const buffers = new Set<ArrayBufferLike>()
  for (let round = 0; round < 100; round++) {
    callGetuid()
    for (let batch = ring.drain(); batch !== undefined; batch = ring.drain()) {
      t.true(batch.count <= 3)
      buffers.add(batch.buffer)
      seen.push(...numbersOf(batch))
    }
  }

  t.deepEqual(seen, rangeOf(1, 700))
  t.is(buffers.size, 1)
  t.is(countOf(object, 'dropped'), 0)
})

kernelTest('discarded records are left out', t => {
  using object = load({ burst: 100, discardEvery: 3 })
  using ring = new RingBuffer(object.map('ring'))
  using link = object.program('write_records').attach()
  callGetuid()
  link.close()
  const written = countOf(object, 'written')
  t.is(countOf(object, 'discarded'), 100 - written)
  t.true(written < 70)
  const batch = ring.drain()
  t.deepEqual(batch && numbersOf(batch), rangeOf(1, written))
})

kernelTest('a ring with nothing but discarded records is emptied', t => {
  using object = load({ burst: 20, discardEvery: 1 })
  using ring = new RingBuffer(object.map('ring'))
  using link = object.program('write_records').attach()
  callGetuid()
  link.close()
  t.is(ring.drain(), undefined)
  t.is(ring.available()[0]?.unreadBytes, 0)
})

kernelTest('what a full ring drops is counted exactly by the program', t => {
  using object = load({ burst: 100 })
  using ring = new RingBuffer(object.map('small_ring'))
  using link = object.program('write_small_records').attach()
  callGetuid(3)
  link.close()
  // One page of 4096 bytes takes 56 frames of 72.
  t.is(countOf(object, 'written'), 56)
  t.is(countOf(object, 'dropped'), 300 - 56)
  const batch = ring.drain()
  t.deepEqual(batch && numbersOf(batch), rangeOf(1, 56))
})

kernelTest('a record larger than a batch makes the batch larger', t => {
  using object = load({}, '-DRECORD_BYTES=5000')
  using ring = new RingBuffer(object.map('ring'), { batchBytes: 64 })
  using link = object.program('write_records').attach()
  callGetuid(2)
  link.close()
  for (const number of [1, 2]) {
    const batch = ring.drain()
    t.is(batch?.count, 1)
    t.is(batch?.length(0), 5000)
    t.deepEqual(batch && numbersOf(batch), [number])
  }

  t.is(ring.drain(), undefined)
})

kernelTest('batches are iterated as they come, until the ring is closed', async t => {
  using object = load({ burst: 50 })
  using ring = new RingBuffer(object.map('ring'), { batchBytes: 1024 })
  using _link = object.program('write_records').attach()
  const seen: number[] = []
  let calls = 0
  const timer = setInterval(() => {
    callGetuid()
    calls++
    if (calls === 10) {
      clearInterval(timer)
    }
  }, 1)
  for await (const batch of ring) {
    seen.push(...numbersOf(batch))
    if (seen.length === 500) {
      ring.close()
    }
  }

  t.deepEqual(seen, rangeOf(1, 500))
})

kernelTest('a loop that is left can be followed by another', async t => {
  using object = load({ burst: 10 })
  using ring = new RingBuffer(object.map('ring'), { batchBytes: 256 })
  using link = object.program('write_records').attach()
  callGetuid()
  link.close()
  const seen: number[] = []
  for await (const batch of ring) {
    seen.push(...numbersOf(batch))
    break
  }

  for await (const batch of ring) {
    t.throws(() => ring.onBatch(() => {}), { message: /already/ })
    seen.push(...numbersOf(batch))
    if (seen.length === 10) {
      break
    }
  }

  t.deepEqual(seen, rangeOf(1, 10))
})

kernelTest('a loop that is left twice does not end the one that follows', async t => {
  using object = load()
  using ring = new RingBuffer(object.map('ring'))
  using _link = object.program('write_records').attach()
  const left = ring[Symbol.asyncIterator]()
  await left.return?.()
  const next = ring[Symbol.asyncIterator]().next()
  await left.return?.()
  callGetuid()
  const { done, value } = await next
  t.false(done)
  t.deepEqual(value && numbersOf(value), [1])
  t.deepEqual(await left.next(), { done: true, value: undefined })
})

kernelTest('a waiting reader is told when the ring is closed', async t => {
  using object = load()
  const ring = new RingBuffer(object.map('ring'))
  const iterator = ring[Symbol.asyncIterator]()
  const next = iterator.next()
  ring.close()
  t.deepEqual(await next, { done: true, value: undefined })
  t.deepEqual(await iterator.next(), { done: true, value: undefined })
})

kernelTest('a slow consumer blocks nothing, and the kernel keeps count of what it drops', async t => {
  using object = load({ burst: 30 })
  using ring = new RingBuffer(object.map('small_ring'))
  using link = object.program('write_small_records').attach()
  callGetuid()
  let turns = 0
  for await (const batch of ring) {
    t.deepEqual(numbersOf(batch), rangeOf(1, 30))
    // While this one takes its time the loop turns, and the ring fills up.
    for (; turns < 100; turns++) {
      callGetuid()
      await setImmediate()
    }

    break
  }

  link.close()
  t.is(turns, 100)
  t.is(countOf(object, 'written'), 30 + 56)
  t.is(countOf(object, 'dropped'), 3000 - 56)
  t.deepEqual(numbersOf(ring.drain() ?? t.fail()), rangeOf(31, 86))
})

kernelTest('a consumer that keeps up leaves turns to others', async t => {
  using object = load({ burst: 2000 })
  using ring = new RingBuffer(object.map('ring'), { batchBytes: 4096 })
  using link = object.program('write_records').attach()
  callGetuid(50)
  link.close()
  let turns = 0
  let ended = false
  const turn = () => {
    turns++
    if (!ended) {
      globalThis.setImmediate(turn)
    }
  }

  turn()
  let count = 0
  const begin = performance.now()
  for await (const batch of ring) {
    count += batch.count
    // Ten milliseconds of work at least, of which one turn of the loop gets half of one.
    while (performance.now() - begin < (count / 100_000) * 10) {}
    if (count === 100_000) {
      break
    }
  }

  ended = true
  t.true(turns > 5)
})

kernelTest('a callback gets the batches of several maps, each with its map', async t => {
  using object = load({ burst: 5 })
  const maps = [object.map('ring'), object.map('small_ring')]
  using ring = new RingBuffer(maps)
  using large = object.program('write_records').attach()
  using small = object.program('write_small_records').attach()
  const seen = new Map<string, number>()
  const done = new Promise<void>(resolve => {
    ring.onBatch(batch => {
      t.true(maps.includes(batch.map))
      seen.set(batch.map.name, (seen.get(batch.map.name) ?? 0) + batch.count)
      if (seen.get('ring') === 10 && seen.get('small_ring') === 10) {
        resolve()
      }
    })
  })
  ring.ref()
  callGetuid()
  await setImmediate()
  callGetuid()
  large.close()
  small.close()
  await done
  t.is(ring.drain(), undefined)
})

kernelTest('a callback may close its ring', async t => {
  using object = load({ burst: 100 })
  const ring = new RingBuffer(object.map('ring'), { batchBytes: 256 }).ref()
  using link = object.program('write_records').attach()
  callGetuid()
  link.close()
  let calls = 0
  await new Promise<void>(resolve => {
    ring.onBatch(() => {
      calls++
      ring.close()
      resolve()
    })
  })
  await setImmediate()
  t.is(calls, 1)
  t.throws(() => ring.drain(), { code: 'ERR_CLOSED' })
  t.throws(() => ring.available(), { code: 'ERR_CLOSED' })
})

kernelTest('wrong arguments of a ring buffer are named', t => {
  using object = load()
  const ring = object.map('ring')
  t.throws(() => new RingBuffer(5 as never), { instanceOf: TypeError, message: /maps/ })
  t.throws(() => new RingBuffer([]), { instanceOf: RangeError, message: /maps/ })
  t.throws(() => new RingBuffer([...object.maps.values()].filter(map => map.internal)), {
    instanceOf: TypeError,
    message: /maps must be of the type ringbuf/,
  })
  t.throws(() => new RingBuffer(ring, { batchBytes: 1 }), { instanceOf: RangeError, message: /batchBytes/ })
  t.throws(() => new RingBuffer(ring, { batchBytes: '1' as never }), { instanceOf: TypeError })
  t.throws(() => new RingBuffer(ring).onBatch(5 as never), { instanceOf: TypeError, message: /callback/ })
})

kernelTest('the object may be closed before the ring buffer', t => {
  const object = load({ burst: 3 })
  using ring = new RingBuffer(object.map('ring'))
  object.program('write_records').attach()
  callGetuid()
  object.close()
  t.is(ring.drain()?.count, 3)
})

const start = `
  const object = BpfObject.open(process.argv[2]).load()
  const ring = new RingBuffer(object.map('ring'))
`

kernelTest('a callback does not keep the process alive, waiting does', async t => {
  const path = compileObject('records')
  t.like(await runChild(`${start} ring.onBatch(() => {})`, [path]), { code: 0, signal: null })
  t.like(await runChild(`${start} ring.onBatch(() => {}); ring.ref(); ring.unref()`, [path]), { code: 0 })
  const waiting = `${start}
    setTimeout(() => { console.log('waited'); ring.close() }, 20).unref()
    for await (const batch of ring) {}
    console.log('ended')`
  t.like(await runChild(waiting, [path]), { code: 0, stdout: 'waited\nended\n' })
})

kernelTest('what a callback throws is an uncaught exception', async t => {
  const child = `${start}
    object.close()
    process.on('uncaughtException', error => { console.log(error.message); process.exit(7) })
    const writing = BpfObject.open(process.argv[2])
    writing.variable('wanted_tid').set(process.pid)
    writing.variable('wanted_call').set(${getuidCall}n)
    writing.load()
    const full = new RingBuffer(writing.map('ring')).ref()
    writing.program('write_records').attach()
    process.getuid()
    full.onBatch(() => { throw new Error('on purpose') })`
  t.like(await runChild(child, [compileObject('records')]), { code: 7, stdout: 'on purpose\n' })
})
