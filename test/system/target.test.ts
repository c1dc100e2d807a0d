import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { listServices, readNetns, type Service } from '../../src/system/services.js'
import {
  createTarget,
  MAX_PORTS,
  resolveTarget,
  TargetError,
  type TargetOptions,
} from '../../src/system/target.js'
import { createNetns, whyNoNetns } from './fixtures/netns.js'
import { startListener } from './fixtures/start-listener.js'

const ownNetns = readNetns('self') ?? -1

const createService = (port: number, other: Partial<Service> = {}): Service => ({
  port,
  protocol: 'tcp',
  addresses: ['0.0.0.0'],
  netns: ownNetns,
  pids: [process.pid],
  pid: process.pid,
  comm: 'memcached',
  ...other,
})

const services = [
  createService(6379, { comm: 'redis-server', pids: [] }),
  createService(11211),
  createService(16379, { comm: 'redis-server', pids: [] }),
  createService(8080, { comm: 'nginx', netns: 1, pids: [] }),
]

/** Gives the message; fails the test when the target resolves. */
const explain = (options: TargetOptions, among: Service[] = services): string => {
  try {
    resolveTarget(options, among)
  } catch (error) {
    if (error instanceof TargetError) return error.message
    throw error
  }
  throw new Error('resolved')
}

test('takes a port', t => {
  t.deepEqual(resolveTarget({ port: 11211 }, services), [
    { role: 'server', ports: [11211], netns: ownNetns, pids: [process.pid], service: createService(11211) },
  ])
})

test('takes every process of the ports that it measures, each once', t => {
  const services = [
    createService(80, { comm: 'nginx', pids: [10, 11] }),
    createService(81, { comm: 'nginx', pids: [20] }),
    createService(82, { comm: 'nginx', pids: [10, 30] }),
    createService(81, { comm: 'other', pids: [40] }),
    createService(81, { comm: 'nginx', pids: [50], netns: 1 }),
    createService(90, { comm: 'other', pids: [60] }),
  ]
  const pidsOf = (options: TargetOptions) => resolveTarget(options, services).map(({ pids }) => pids)
  t.deepEqual(pidsOf({ comm: 'nginx', port: 80 }), [[10, 11]])
  t.deepEqual(pidsOf({ comm: 'nginx', netns: String(ownNetns) }), [[10, 11, 20, 30, 40]])
  t.deepEqual(pidsOf({ port: 81 }), [[20, 40]])
  t.deepEqual(pidsOf({}), [[10, 11], [20, 40], [10, 30], [40, 20], [50], [60]])
})

test('takes no process of the same port in the other protocol', t => {
  const services = [createService(53, { pids: [10] }), createService(53, { protocol: 'udp', pids: [20] })]
  t.deepEqual(
    services.map(service => createTarget(service, services).pids),
    [[10], [20]],
  )
})

test('takes all ports of a program together', t => {
  const [target, ...more] = resolveTarget({ comm: 'redis-server' }, services)
  t.deepEqual(target?.ports, [6379, 16379])
  t.is(target?.service.port, 6379)
  t.deepEqual(more, [])
})

test('takes what every option holds for', t => {
  t.deepEqual(resolveTarget({ comm: 'redis-server', port: 16379 }, services)[0]?.ports, [16379])
  t.is(
    explain({ comm: 'nginx', port: 6379 }),
    'nothing listens on port 6379 of programs named nginx; listening: redis-server 6379, memcached 11211, redis-server 16379, nginx 8080; choose one with --port',
  )
})

test('takes a process', t => {
  t.deepEqual(resolveTarget({ pid: process.pid }, services)[0]?.ports, [11211])
})

test('without options gives every service as a candidate', t => {
  t.deepEqual(
    resolveTarget({}, services).map(({ ports }) => ports),
    [[6379], [11211], [16379], [8080]],
  )
})

test('says what does listen when nothing listens there', t => {
  t.is(
    explain({ port: 9999 }),
    'nothing listens on port 9999; listening: redis-server 6379, memcached 11211, redis-server 16379, nginx 8080; choose one with --port',
  )
})

test('says when nothing listens at all', t => {
  t.regex(explain({ port: 1 }, []), /^nothing listens on any TCP port/)
  t.regex(explain({}, []), /^nothing listens on any TCP port/)
})

test('shortens a long list', t => {
  const many = Array.from({ length: 30 }, (_, i) => createService(1000 + i, { comm: 'x' }))
  t.regex(explain({ port: 1 }, many), /x 1000, .*, and 18 more; choose/)
})

test('asks to choose among more ports than fit', t => {
  const many = Array.from({ length: MAX_PORTS + 1 }, (_, i) => createService(80 + i, { comm: 'nginx' }))
  const message = explain({ comm: 'nginx' }, many)
  t.regex(message, /5 ports are too many/)
  t.regex(message, /nginx 84/)
  t.regex(message, /--port$/)
  t.is(resolveTarget({ comm: 'nginx' }, many.slice(1))[0]?.ports.length, MAX_PORTS)
})

test('a port means our own network namespace, when it is taken there', t => {
  const both = [createService(80, { netns: 1 }), createService(80), createService(81, { netns: 1 })]
  t.is(resolveTarget({ port: 80 }, both)[0]?.netns, ownNetns)
  t.is(resolveTarget({ port: 80, netns: '1' }, both)[0]?.netns, 1)
  t.is(resolveTarget({ port: 81 }, both)[0]?.netns, 1)
})

test('asks to choose among network namespaces', t => {
  const both = [createService(80, { netns: 1 }), createService(80, { netns: 2 })]
  t.regex(explain({ port: 80 }, both), /memcached 80 in 1, memcached 80 in 2; choose one with --netns/)
  t.regex(explain({ comm: 'memcached' }, both), /choose one with --netns/)
})

test('names the process, cgroup, unit or namespace that is not there', t => {
  t.regex(explain({ pid: 2 ** 30 }), /no process 1073741824/)
  t.regex(explain({ cgroup: 'no/such' }), /no cgroup no\/such under \/sys\/fs\/cgroup/)
  t.regex(explain({ cgroup: '../../../etc' }), /no cgroup/)
  t.regex(explain({ unit: 'no-such' }), /nothing listens on a TCP port of unit no-such/)
  t.regex(explain({ netns: 'no-such' }), /no network namespace no-such/)
  t.regex(explain({ netns: '../../etc' }), /no network namespace/)
})

test('prints no escape codes of the command line', t => {
  for (const option of ['comm', 'cgroup', 'unit', 'netns'])
    t.false(explain({ [option]: '\x1b[2Jx' }).includes('\x1b'))
})

const noNetns = whyNoNetns()
const netnsTest = noNetns === null ? test : test.skip
netnsTest(
  `takes a network namespace by name, path and inode${noNetns === null ? '' : ` (${noNetns})`}`,
  async t => {
    using netns = createNetns()
    const listener = await startListener('::', 'inside', netns.exec)
    try {
      const found = await listServices()
      const names = [
        netns.name,
        `/run/netns/${netns.name}`,
        `/proc/${listener.pid}/ns/net`,
        String(netns.inode),
      ]
      for (const name of names) t.deepEqual(resolveTarget({ netns: name }, found)[0]?.ports, [listener.port])
    } finally {
      await listener.stop()
    }
  },
)

/** Makes a cgroup with one below it, under whichever version is mounted; null when that is not permitted. */
const createCgroup = (name: string): string | null => {
  const roots = ['/sys/fs/cgroup', '/sys/fs/cgroup/pids'].filter(root =>
    existsSync(join(root, 'cgroup.procs')),
  )
  for (const root of roots) {
    try {
      mkdirSync(join(root, name, 'below'), { recursive: true })
      return join(root, name)
    } catch {
      removeCgroup(join(root, name))
    }
  }
  return null
}

const removeCgroup = (path: string): void => {
  for (const folder of [join(path, 'below'), path]) {
    try {
      rmdirSync(folder)
    } catch {
      // It was not made.
    }
  }
}

const cgroup = createCgroup(`taut-test-${process.pid}.service`)
const cgroupTest = cgroup === null ? test.skip : test
cgroupTest(
  `takes a cgroup, and a unit by its cgroup${cgroup === null ? ' (no cgroup can be made)' : ''}`,
  async t => {
    const path = cgroup ?? ''
    const listener = await startListener('127.0.0.1')
    t.teardown(() => removeCgroup(path))
    try {
      writeFileSync(join(path, 'below', 'cgroup.procs'), String(listener.pid))
      const found = await listServices()
      const options = [
        { cgroup: path },
        { cgroup: path.slice('/sys/fs/cgroup/'.length) },
        { cgroup: `${path}/below/` },
        { unit: `taut-test-${process.pid}` },
        { unit: `taut-test-${process.pid}.service` },
      ]
      for (const option of options) t.deepEqual(resolveTarget(option, found)[0]?.ports, [listener.port])
    } finally {
      await listener.stop()
    }
  },
)
