import { execFile, spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { promisify } from 'node:util'
import test from 'ava'
import { listServices, readNetns } from '../../src/system/services.js'
import type { Protocol } from '../../src/system/sockets.js'
import { createNetns, whyNoNetns } from './fixtures/netns.js'
import { startListener } from './fixtures/start-listener.js'

const findService = async (port: number, netns = readNetns('self')) =>
  (await listServices()).find(service => service.port === port && service.netns === netns)

test('finds a listener of this process', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const service = await findService(port)
  t.deepEqual(service?.addresses, ['127.0.0.1'])
  t.is(service?.protocol, 'tcp')
  t.true(service?.pids.includes(process.pid))
})

test('finds those of both protocols on one port, each with its own', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const socket = createSocket('udp4').bind(port, '127.0.0.1')
  await once(socket, 'listening')
  t.teardown(() => socket.close())
  const protocols = async (...wanted: Protocol[]) =>
    (await listServices(...wanted)).filter(each => each.port === port).map(({ protocol }) => protocol)
  t.deepEqual(await protocols('tcp', 'udp'), ['tcp', 'udp'])
  t.deepEqual(await protocols('udp'), ['udp'])
  t.deepEqual(await protocols(), ['tcp'])
})

test('does not show a port where nothing listens any more', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  t.is(await findService(port), undefined)
})

for (const host of ['127.0.0.1', '0.0.0.0', '::1', '::']) {
  test(`finds another process on ${host}`, async t => {
    const listener = await startListener(host)
    t.teardown(listener.stop)
    t.deepEqual(await findService(listener.port), {
      port: listener.port,
      protocol: 'tcp',
      addresses: [host],
      netns: readNetns('self') ?? -1,
      pids: [listener.pid],
      pid: listener.pid,
      comm: 'listener',
    })
  })
}

test('strips terminal escapes from a process name', async t => {
  const listener = await startListener('127.0.0.1', '\x1b[31mred\x1b[0m\n')
  t.teardown(listener.stop)
  const comm = (await findService(listener.port))?.comm ?? ''
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  t.notRegex(comm, /[\x00-\x1f\x7f-\x9f]/)
  t.regex(comm, /red/)
})

test('names the parent of processes that share a socket', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  // libuv opens sockets close-on-exec, but a descriptor named in stdio is inherited.
  const handle: unknown = Reflect.get(server, '_handle')
  const fd = Number(Reflect.get(Object(handle), 'fd'))
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', fd] })
  await once(child, 'spawn')
  t.teardown(() => child.kill('SIGKILL'))
  const service = await findService(port)
  t.true(service?.pids.includes(process.pid))
  t.true(service?.pids.includes(child.pid ?? 0))
  t.is(service?.pid, process.pid)
})

const noNetns = whyNoNetns()
const netnsTest = noNetns === null ? test : test.skip
netnsTest(
  `finds a listener in another network namespace${noNetns === null ? '' : ` (${noNetns})`}`,
  async t => {
    using netns = createNetns()
    const listener = await startListener('::', 'inside', netns.exec)
    try {
      const service = await findService(listener.port, netns.inode)
      t.deepEqual(service?.pids, [listener.pid])
      t.is(service?.comm, 'inside')
      t.is(readNetns(listener.pid), netns.inode)
    } finally {
      await listener.stop()
    }
  },
)

test('lists while processes come and go', async t => {
  const run = promisify(execFile)
  let isDone = false
  const churn = Array.from({ length: 4 }, async () => {
    while (!isDone) await run('true')
  })
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  try {
    for (let i = 0; i < 20; i++) t.truthy(await findService(port))
  } finally {
    isDone = true
    await Promise.all(churn)
  }
})

test('a process that is gone has no network namespace', t => {
  const { pid } = spawnSync('true')
  t.is(readNetns(pid), null)
})
