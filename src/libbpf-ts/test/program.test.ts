import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { existsSync, mkdirSync, rmdirSync } from 'node:fs'
import { BpfError, BpfObject, type Link, listLinks, listPrograms, probeIter } from '../lib/index.js'
import {
  callGetuid,
  kernelTest,
  openCounter,
  waitUntil,
  withBpfFs,
  withInterface,
  withTracefs,
} from './helpers/kernel.js'
import { compileObject } from './helpers/objects.js'

const load = () => {
  const object = BpfObject.open(compileObject('attach'))
  object.variable('wanted_tgid').set(process.pid)
  return object.load()
}

const runsOf = (object: BpfObject, slot: number): bigint =>
  object.variable<bigint[]>('runs').get()[slot] ?? 0n

const isLoaded = (id: number) => listPrograms().some(program => program.id === id)

kernelTest('a program attaches by its section, and detaches once', t => {
  using object = openCounter().load()
  const link = object.program('count_raw').attach()
  t.like(link.info(), { type: 'raw_tracepoint', programId: object.program('count_raw').info().id })
  callGetuid(2)
  link.close()
  link.close()
  link.detach()
  callGetuid(2)
  t.is(object.variable('calls').get(), 2n)
  t.throws(() => link.info(), { code: 'ERR_CLOSED' })
  t.throws(() => link.pin('/tmp/x'), { code: 'ERR_CLOSED' })
})

kernelTest('closing an object closes its links and unloads its programs', async t => {
  const object = openCounter().load()
  const program = object.program('count_typed')
  const { id } = program.info()
  const link = program.attach()
  const linkId = link.info().id
  object.close()
  t.true(link.closed)
  await waitUntil(() => !isLoaded(id))
  await waitUntil(() => !listLinks().some(one => one.id === linkId))
})

kernelTest(
  'raw tracepoints and tracepoints attach by name',
  withTracefs(t => {
    using object = load()
    using raw = object.program('on_raw_tracepoint').attachRawTracepoint('sys_enter')
    using tracepoint = object.program('on_tracepoint').attachTracepoint('syscalls', 'sys_enter_getuid')
    callGetuid(3)
    raw.close()
    tracepoint.close()
    t.is(runsOf(object, 0), 3n)
    t.true(runsOf(object, 1) >= 3n)
    t.throws(() => object.program('on_raw_tracepoint').attachRawTracepoint('nope'), {
      instanceOf: BpfError,
      code: 'ENOENT',
    })
    t.throws(() => object.program('on_tracepoint').attachTracepoint('sched', 'nope'), {
      instanceOf: BpfError,
      code: 'ENOENT',
    })
    t.throws(() => object.program('on_tracepoint').attachTracepoint('sched', 5 as never), {
      instanceOf: TypeError,
      message: /name/,
    })
  }),
)

kernelTest('a perf event runs its program', t => {
  using object = load()
  const program = object.program('on_perf_event')
  // Every tick of this thread's own clock: runs for as long as this loop takes.
  using _link = program.attachPerfEvent({ type: 'software', config: 0, samplePeriod: 100_000, pid: 0 })
  while (runsOf(object, 2) === 0n) {
    callGetuid()
  }

  const wrong = { type: 'software', config: 0 } as const
  t.throws(() => program.attachPerfEvent(wrong), { instanceOf: TypeError, message: /samplePeriod/ })
  t.throws(() => program.attachPerfEvent({ ...wrong, samplePeriod: 1.5, cpu: 0 }), { instanceOf: RangeError })
  t.throws(() => program.attachPerfEvent({ ...wrong, type: 'x' as never, samplePeriod: 1 }), {
    instanceOf: TypeError,
    message: /type/,
  })
  t.throws(() => program.attachPerfEvent({ ...wrong, type: 999_999, samplePeriod: 1, cpu: 0 }), {
    instanceOf: BpfError,
    code: 'ENOENT',
  })
})

kernelTest('a uprobe runs at a function of a library', t => {
  using object = load()
  const program = object.program('on_uprobe')
  using link = program.attachUprobe({ binary: 'libc.so.6', symbol: 'getuid' })
  callGetuid(4)
  link.close()
  t.is(runsOf(object, 3), 4n)
  t.throws(() => program.attachUprobe({ binary: 'libc.so.6', symbol: 'no_such_function' }), {
    instanceOf: BpfError,
    code: 'ENOENT',
  })
  t.throws(() => program.attachUprobe({ binary: 'libc.so.6' }), { instanceOf: TypeError, message: /offset/ })
})

kernelTest('a uprobe runs at an offset into a file', t => {
  using object = load()
  const program = object.program('on_uprobe')
  const library = execFileSync('sh', ['-c', 'ldconfig -p | sed -n "s/.*libc\\.so\\.6.*=> //p" | head -1'])
    .toString()
    .trim()
  // The value of a symbol is also its place in the file, in the segment of code that libc has.
  const symbols = execFileSync('objdump', ['-T', library]).toString()
  const address = /^([0-9a-f]+) .* getuid$/m.exec(symbols)?.[1]
  using link = program.attachUprobe({ binary: library, offset: BigInt(`0x${address}`), pid: process.pid })
  callGetuid(2)
  link.close()
  t.is(runsOf(object, 3), 2n)
})

const cgroups = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find(
  path => existsSync(`${path}/cgroup.procs`) && existsSync(`${path}/cgroup.controllers`),
)

kernelTest('a cgroup takes a program by its path', t => {
  using object = load()
  const program = object.program('on_cgroup')
  t.throws(() => program.attachCgroup('/proc/self/nonexistent'), { instanceOf: BpfError, code: 'ENOENT' })
  t.truthy(cgroups, 'a cgroup2 file system is mounted')
  const path = `${cgroups}/libbpf-ts-${process.pid}`
  mkdirSync(path)
  try {
    using link = program.attachCgroup(path)
    t.is(link.info().type, 'cgroup')
    // Who was moved there sends a packet.
    const send = `const socket = require('node:dgram').createSocket('udp4')
      socket.send('packet', 9, '127.0.0.1', () => socket.close())`
    const enter = 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"'
    execFileSync('sh', ['-c', enter, 'sh', path, process.execPath, '-e', send])
    t.is(runsOf(object, 4), 1n)
    link.detach()
    link.detach()
  } finally {
    rmdirSync(path)
  }
})

/** Sends packets out of one end of a pair of interfaces until something is so. */
const sendUntil = async (name: string, isSo: () => boolean) => {
  execFileSync('ip', ['link', 'set', name, 'up'])
  execFileSync('ip', ['addr', 'add', '192.0.2.1/32', 'peer', '192.0.2.2', 'dev', name])
  execFileSync('ip', ['neigh', 'add', '192.0.2.2', 'lladdr', '02:00:00:00:00:02', 'dev', name])
  const socket = createSocket('udp4')
  // The link takes a moment to be up.
  await waitUntil(() => {
    socket.send('packet', 9, '192.0.2.2')
    return isSo()
  })
  socket.close()
}

kernelTest('a network interface takes XDP programs', async t => {
  await withInterface(async name => {
    using object = load()
    using link = object.program('on_xdp').attachXdp(name)
    t.is(link.info().type, 'xdp')
    t.regex(execFileSync('ip', ['link', 'show', name]).toString(), /xdp/)
    await sendUntil(`${name}p`, () => runsOf(object, 5) >= 1n)
    link.close()
    t.notRegex(execFileSync('ip', ['link', 'show', name]).toString(), /xdp/)
    t.throws(() => object.program('on_xdp').attachXdp('nope'), { instanceOf: BpfError, code: 'ENODEV' })
    t.throws(() => object.program('on_xdp').attachXdp('name-that-is-too-long'), {
      instanceOf: RangeError,
      message: /interface/,
    })
  })
})

const qdiscsOf = (name: string) => execFileSync('tc', ['qdisc', 'show', 'dev', name]).toString()
const filtersOf = (name: string, direction: string) =>
  execFileSync('tc', ['filter', 'show', 'dev', name, direction]).toString()

kernelTest('tc filters come and go, with the qdisc that was made for them', async t => {
  await withInterface(async name => {
    using object = load()
    const program = object.program('on_tc')
    const egress = program.attachTc({ interface: name, direction: 'egress' })
    const ingress = program.attachTc({ interface: name, direction: 'ingress', priority: 7, handle: 3 })
    t.regex(qdiscsOf(name), /clsact/)
    t.regex(filtersOf(name, 'ingress'), /pref 7 .*handle 0x3/)
    execFileSync('ip', ['link', 'set', `${name}p`, 'up'])
    await sendUntil(name, () => runsOf(object, 6) >= 1n)
    egress.close()
    t.regex(qdiscsOf(name), /clsact/)
    t.is(filtersOf(name, 'egress'), '')
    ingress.detach()
    ingress.detach()
    t.notRegex(qdiscsOf(name), /clsact/)
    t.throws(() => ingress.info(), { instanceOf: BpfError, code: 'EOPNOTSUPP' })
    t.throws(() => program.attachTc({ interface: name, direction: 'up' as never }), {
      instanceOf: TypeError,
      message: /direction/,
    })
  })
})

kernelTest('a tc filter that could not be removed stays open, until it is', async t => {
  await withInterface(name => {
    const object = load()
    const program = object.program('on_tc')
    const [first, second] = [7, 8].map(priority =>
      program.attachTc({ interface: name, direction: 'egress', priority }),
    ) as [Link, Link]
    const other = object.program('on_raw_tracepoint').attachRawTracepoint('sys_enter')
    // Without root's capabilities for the while, the kernel refuses.
    const removeAsNobody = (remove: () => void) => {
      process.seteuid?.(65534)
      try {
        remove()
      } finally {
        process.seteuid?.(0)
      }
    }

    const refusal = { instanceOf: BpfError, code: 'EPERM' }
    t.throws(() => removeAsNobody(() => first.detach()), refusal)
    t.throws(() => removeAsNobody(() => first.detach()), refusal)
    t.throws(() => removeAsNobody(() => first.close()), refusal)
    t.false(first.closed)
    t.true(object.links.has(first))
    first.detach()
    first.detach()
    first.close()
    first.close()
    t.true(first.closed)
    t.notRegex(filtersOf(name, 'egress'), /pref 7 /)

    t.throws(() => removeAsNobody(() => object.close()), refusal)
    t.true(other.closed)
    t.deepEqual([object.closed, second.closed], [false, false])
    t.regex(filtersOf(name, 'egress'), /pref 8 /)
    object.close()
    object.close()
    t.deepEqual([object.closed, second.closed], [true, true])
    t.is(filtersOf(name, 'egress'), '')
    t.notRegex(qdiscsOf(name), /clsact/)
  })
})

kernelTest('a qdisc that somebody else made stays', async t => {
  await withInterface(name => {
    using object = load()
    execFileSync('tc', ['qdisc', 'add', 'dev', name, 'clsact'])
    object.program('on_tc').attachTc({ interface: name, direction: 'egress' }).close()
    t.regex(qdiscsOf(name), /clsact/)
    t.is(filtersOf(name, 'egress'), '')
  })
})

kernelTest('an iterator is read as often as wanted', t => {
  using object = load()
  using iterator = object.program('list_tasks').attachIter()
  for (let time = 0; time < 2; time++) {
    const bytes = iterator.read().slice()
    const tgids = new Uint32Array(bytes.buffer, 0, bytes.length / 4)
    t.true(tgids.includes(process.pid))
    t.true(tgids.includes(process.ppid))
  }

  iterator.close()
  t.throws(() => iterator.read(), { code: 'ERR_CLOSED' })
})

kernelTest(
  "an iterator goes over a map's elements",
  t => {
    using object = BpfObject.open(compileObject('elements')).load()
    const numbers = object.map('numbers')
    for (const [index, number] of [10, 20, 30].entries()) numbers.set(index, number)
    const program = object.program('list_elements')
    using iterator = program.attachIter(numbers)
    const bytes = iterator.read().slice()
    t.deepEqual([...new Uint32Array(bytes.buffer, 0, bytes.length / 4)], [10, 20, 30])

    t.throws(() => program.attachIter(7 as never), { instanceOf: TypeError, message: /^map must be/ })
    t.throws(() => program.attachIter(), { instanceOf: BpfError })
  },
  () => probeIter('bpf_map_elem').reason,
)

kernelTest('a pinned link outlives its object until it is unpinned', async t => {
  await withBpfFs(async path => {
    const pin = `${path}/link`
    const object = openCounter().load()
    const link = object.program('count_typed').attach()
    const { id } = link.info()
    t.is(link.pinPath, undefined)
    t.throws(() => link.unpin(), { instanceOf: BpfError })
    link.pin(pin)
    t.is(link.pinPath, pin)
    t.throws(() => link.pin(`${path}/other`), { instanceOf: BpfError })
    object.close()
    const exists = () => listLinks().some(one => one.id === id)
    t.true(exists())
    execFileSync('rm', [pin])
    await waitUntil(() => !exists())

    using again = openCounter().load()
    const forced = again.program('count_typed').attach()
    forced.pin(pin)
    forced.detach()
    forced.detach()
    t.false(existsSync(pin))
    t.throws(() => again.program('count_typed').attach().pin('/proc/self/pin'), {
      instanceOf: BpfError,
      code: 'EINVAL',
    })
  })
})
