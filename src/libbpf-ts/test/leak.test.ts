import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { createInterface } from 'node:readline'
import { setImmediate } from 'node:timers/promises'
import { BpfObject, listLinks, listMaps, listPrograms, RingBuffer } from '../lib/index.js'
import { libraryUrl, runChild } from './helpers/child.js'
import {
  callGetuid,
  countDescriptors,
  getuidCall,
  kernelTest,
  openCounter,
  waitUntil,
} from './helpers/kernel.js'
import { compileObject, compileProgram } from './helpers/objects.js'

const useOnce = (close: (object: BpfObject, ring: RingBuffer) => void) => {
  const object = BpfObject.open(compileObject('records')).load()
  const ring = new RingBuffer([object.map('ring'), object.map('small_ring')])
  object.program('write_records').attach()
  object.variable('written').get()
  callGetuid()
  ring.drain()
  close(object, ring)
}

/** Ring buffers leave the event loop at the end of a turn. */
const settle = async () => {
  await setImmediate()
  await setImmediate()
}

kernelTest('cycles of open, load, attach and close leave no descriptor behind', async t => {
  const close = (object: BpfObject, ring: RingBuffer) => {
    ring.close()
    object.close()
  }

  useOnce(close)
  await settle()
  const before = countDescriptors()
  for (let cycle = 0; cycle < 20; cycle++) {
    useOnce(close)
    await settle()
  }

  t.is(countDescriptors(), before)
})

kernelTest('refusals leave no descriptor behind', t => {
  const refused = compileObject('refused')
  const tries = () => {
    using object = BpfObject.open(refused)
    t.throws(() => object.load())
    t.throws(() => BpfObject.open('/proc/self/nonexistent'))
    t.throws(() => BpfObject.open(new Uint8Array(10)))
    using counter = openCounter().load()
    t.throws(() => counter.program('count_raw').attachCgroup('/tmp'))
    t.throws(() =>
      counter.program('count_raw').attachPerfEvent({ type: 1, config: 0, samplePeriod: 1, pid: 0 }),
    )
    t.throws(() => new RingBuffer([counter.map('by_process')]))
  }

  tries()
  const before = countDescriptors()
  for (let cycle = 0; cycle < 10; cycle++) {
    tries()
  }

  t.is(countDescriptors(), before)
})

kernelTest('what nobody holds is freed by the collector', async t => {
  const code = `
    import { readdirSync } from 'node:fs'
    const count = () => readdirSync('/proc/self/fd').length
    const before = count()
    const use = () => {
      const object = BpfObject.open(process.argv[2]).load()
      new RingBuffer(object.map('ring'))
      const left = new RingBuffer(object.map('small_ring'))[Symbol.asyncIterator]()
      left.next()
      left.return()
      object.program('write_records').attach()
      object.variable('written').bytes
    }
    for (let cycle = 0; cycle < 10; cycle++) use()
    console.log(count() > before + 10)
    for (let tries = 0; tries < 50 && count() > before + 1; tries++) {
      globalThis.gc()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    console.log(count() <= before + 1)`
  t.like(await runChild(code, [compileObject('records')], ['--expose-gc']), {
    code: 0,
    stdout: 'true\ntrue\n',
    stderr: '',
  })
})

kernelTest('what is held by a link or by its callback is not freed', async t => {
  const code = `
    let count = 0
    const link = (() => {
      const object = BpfObject.open(process.argv[2])
      object.variable('wanted_tid').set(process.pid)
      object.variable('wanted_call').set(BigInt(process.argv[3]))
      object.load()
      new RingBuffer(object.map('ring')).onBatch(batch => { count += batch.count })
      object.program('write_small_records').attach()
      return object.program('write_records').attach()
    })()
    for (let round = 0; round < 20; round++) {
      globalThis.gc()
      await new Promise(resolve => setTimeout(resolve, 1))
      process.getuid()
    }
    while (count < 20) await new Promise(resolve => setTimeout(resolve, 1))
    console.log(count, link.closed)
    process.exit()`
  t.like(await runChild(code, [compileObject('records'), `${getuidCall}`], ['--expose-gc']), {
    code: 0,
    stdout: '20 false\n',
  })
})

kernelTest(
  'a link of a USDT probe may outlive the handle of its object, and be collected in any order',
  async t => {
    const code = `
    import { execFileSync } from 'node:child_process'
    import { readdirSync } from 'node:fs'
    const { native } = await import(new URL('native.js', process.argv[3]))
    const count = () => readdirSync('/proc/self/fd').length
    const turn = () => new Promise(resolve => setImmediate(resolve))
    process.chdir(process.argv[2])
    const counted = BpfObject.open('usdt.bpf.o').load()
    counted.program('on_probe').attach()
    execFileSync('./probed')
    console.log(counted.variable('runs').get())
    counted.close()
    const before = count()

    // A function of its own: what suspends may hold on to what it has passed on.
    const attach = () => {
      const object = native.objectOpen('usdt.bpf.o')
      native.objectLoad(object)
      return { link: native.attach(object, 0), weak: new WeakRef(object) }
    }
    const { link, weak } = attach()
    for (let tries = 0; tries < 200 && weak.deref() !== undefined; tries++) {
      await turn()
      globalThis.gc()
    }
    console.log(weak.deref() === undefined)
    for (let turns = 0; turns < 3; turns++) await turn()
    native.closeHandle(link)
    console.log(count() <= before)

    const use = () => {
      const object = BpfObject.open('usdt.bpf.o').load()
      for (let links = 0; links < 3; links++) object.program('on_probe').attach()
    }
    for (let cycle = 0; cycle < 10; cycle++) use()
    for (let tries = 0; tries < 50 && count() > before; tries++) {
      globalThis.gc()
      await turn()
    }
    console.log(count() <= before)`
    const folder = dirname(compileObject('usdt'))
    compileProgram('probed')
    // What is freed is overwritten, so that who uses it again does not find it as it was.
    const environment = { MALLOC_PERTURB_: '165' }
    t.like(await runChild(code, [folder, libraryUrl], ['--expose-gc'], environment), {
      code: 0,
      signal: null,
      stdout: '1n\ntrue\ntrue\ntrue\n',
      stderr: '',
    })
  },
)

kernelTest('memory of a map stays after close and collection', async t => {
  const code = `
    const memory = (() => {
      const object = BpfObject.open(process.argv[2]).load()
      const memory = object.map('mapped').mmap()
      object.close()
      return memory
    })()
    for (let round = 0; round < 10; round++) {
      globalThis.gc()
      await new Promise(resolve => setTimeout(resolve, 1))
      memory.fill(round)
    }
    console.log(memory[39])`
  t.like(await runChild(code, [compileObject('maps')], ['--expose-gc']), { code: 0, stdout: '9\n' })
})

const attachForever = `
  const object = BpfObject.open(process.argv[2]).load()
  const ring = new RingBuffer(object.map('ring'))
  ring.onBatch(() => {})
  const link = object.program('write_records').attach()
  console.log(object.program('write_records').info().id, object.map('ring').info().id, link.info().id)`

const isGone = ([program, map, link]: readonly number[]) =>
  !listPrograms().some(({ id }) => id === program) &&
  !listMaps().some(({ id }) => id === map) &&
  !listLinks().some(({ id }) => id === link)

kernelTest('a process that exits with everything attached ends clean, and leaves nothing', async t => {
  for (const end of ['', 'process.exit(0)', 'setTimeout(() => process.exit(0), 1)']) {
    const { code, signal, stdout, stderr } = await runChild(`${attachForever}\n${end}`, [
      compileObject('records'),
    ])
    t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    const ids = stdout.trim().split(' ').map(Number)
    t.is(ids.length, 3)
    await waitUntil(() => isGone(ids))
  }
})

kernelTest('a process that is killed leaves nothing loaded', async t => {
  const source = `import { BpfObject, RingBuffer } from ${JSON.stringify(libraryUrl)}
    ${attachForever}
    ring.ref()`
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', source, '--', 'child', compileObject('records')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const ids = String(line).split(' ').map(Number)
  t.false(isGone(ids))
  child.kill('SIGKILL')
  await once(child, 'close')
  await waitUntil(() => isGone(ids))
})
