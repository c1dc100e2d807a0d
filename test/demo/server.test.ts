import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import test from 'ava'
import { exchange } from './fixtures/exchange.js'
import { startDemoServer, startMemcached, waitUntilGone } from './fixtures/processes.js'

const longKey = 'k'.repeat(251)

/** Requests that memcached and the demo's service must answer alike, each on a connection of its own. */
const scripts = [
  'get missing\r\n',
  'set a 5 0 3\r\nabc\r\nget a\r\nget a a missing\r\n',
  'set a 0 0 0\r\n\r\nget a\r\n',
  'set a 0 0 1 noreply\r\nb\r\nget a\r\n',
  'set b 0 -1 1\r\nx\r\nget b\r\n',
  'set b 4294967295 0 1\r\nx\r\nget b\r\n',
  'set d 01 0 01\r\na\r\nget d\r\n',
  'set c 0 0 1\na\r\nget c\n',
  'delete d\r\ndelete d\r\ndelete d 0\r\ndelete d 5\r\ndelete d noreply\r\ndelete\r\n',
  'get\r\ngets\r\nfoo\r\n\r\n \r\nGET a\r\nset\r\nset a\r\nset a 0 0\r\nset a 0 0 1 2 3\r\n',
  ' get a\r\nget  a\r\nget a \r\nget a\n',
  'set a 0 0 abc\r\nset a 0 0 -1\r\nset a x 0 1\r\na\r\nset a -1 0 1\r\na\r\nset a 0 x 1\r\na\r\n',
  'set a 0 0 3\r\nabcdef\r\nget a\r\n',
  'set a 0 0 3\r\nab\r\n\r\nget a\r\n',
  `get ${'k'.repeat(250)}\r\nget ${longKey}\r\nset ${longKey} 0 0 1\r\na\r\ndelete ${longKey}\r\n`,
  `set big 0 0 1048577\r\n${'x'.repeat(1048577)}\r\nget big\r\n`,
  `set big 0 0 1000000\r\n${'x'.repeat(1000000)}\r\nget big\r\n`,
  'stats foo\r\n',
]

const hasMemcached = spawnSync('memcached', ['--version']).status === 0
const memcachedTest = hasMemcached ? test : test.skip

memcachedTest(
  `answers as memcached does${hasMemcached ? '' : ' (needs memcached to be installed)'}`,
  async t => {
    const memcached = await startMemcached()
    t.teardown(memcached.stop)
    const server = await startDemoServer()
    t.teardown(server.stop)
    for (const script of scripts) {
      t.is(
        await exchange(server.port, [script]),
        await exchange(memcached.port, [script]),
        script.slice(0, 200),
      )
    }
  },
)

test('answers a request that arrives byte by byte', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  t.is(
    await exchange(server.port, [...'set a 0 0 3\r\nabc\r\nget a\r\n']),
    'STORED\r\nVALUE a 0 3\r\nabc\r\nEND\r\n',
  )
})

test('closes at quit and answers nothing after it', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  t.is(await exchange(server.port, ['get a\r\nquit\r\nget a\r\n']), 'END\r\n')
})

test('answers everything to a client that reads late', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  await exchange(server.port, [`set big 0 0 1000000\r\n${'x'.repeat(1_000_000)}\r\n`])
  const socket = connect({ port: server.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  const requests = 100
  socket.pause().write('get big\r\n'.repeat(requests))
  // Another connection is served meanwhile.
  t.is(await exchange(server.port, ['get none\r\n']), 'END\r\n')
  let bytes = 0
  socket.on('data', chunk => {
    bytes += chunk.length
    if (bytes === requests * ('VALUE big 0 1000000\r\n\r\nEND\r\n'.length + 1_000_000)) socket.end()
  })
  socket.resume()
  await once(socket, 'close')
  t.is(bytes, requests * ('VALUE big 0 1000000\r\n\r\nEND\r\n'.length + 1_000_000))
})

test('survives connections that are reset', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  for (let i = 0; i < 20; i++) {
    const socket = connect({ port: server.port, host: '127.0.0.1' })
    await once(socket, 'connect')
    socket.write('get a\r\n'.repeat(1000))
    socket.resetAndDestroy()
  }
  t.is(await exchange(server.port, ['get a\r\n']), 'END\r\n')
})

test('ends at SIGTERM and not at SIGINT', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  process.kill(server.pid, 'SIGINT')
  t.is(await exchange(server.port, ['get a\r\n']), 'END\r\n')
  process.kill(server.pid, 'SIGTERM')
  await waitUntilGone(server.pid)
  t.pass()
})
