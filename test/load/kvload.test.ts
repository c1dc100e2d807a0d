import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { exchange } from '../demo/fixtures/exchange.js'
import { startDemoServer, type TestService } from '../demo/fixtures/processes.js'

const root = new URL('../../../', import.meta.url)
const program = fileURLToPath(new URL('dist/bench/load/kvload', root))

type Outcome = { code: number | null; stdout: string; stderr: string }

const run = (file: string, args: string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const child = execFile(file, args, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
  })

const runLoad = async (port: number, ...args: string[]): Promise<Record<string, number>> => {
  const { code, stdout, stderr } = await run(program, ['--port', String(port), '--timeout', '60', ...args])
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout)
}

const readStat = async ({ port }: TestService, name: string): Promise<number> =>
  Number(new RegExp(`STAT ${name} (\\d+)`).exec(await exchange(port, ['stats\r\n']))?.[1])

/** A server that runs in this process, until the test is over. */
const listen = async (server: Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test.before(async t => {
  const { code, stderr } = await run(process.execPath, [fileURLToPath(new URL('bench/load/build.mjs', root))])
  t.is(code, 0, stderr)
})

for (const [name, args] of Object.entries({
  'on one connection': [],
  'on more connections than requests': ['--connections', '3000'],
  'pipelined on 8 connections': ['--connections', '8', '--pipeline', '7'],
  'on a connection each': ['--connections', '3', '--reconnect'],
  'on schedule': ['--connections', '3', '--rate', '50000'],
  'on schedule, on a connection each': ['--connections', '3', '--rate', '50000', '--reconnect'],
})) {
  test(`sends exactly as many requests as asked, ${name}`, async t => {
    const server = await startDemoServer()
    t.teardown(server.stop)
    const result = await runLoad(server.port, '--requests', '2011', ...args)
    t.is(result.requests, 2011)
    t.is(result.misses, 2011)
    t.is(await readStat(server, 'cmd_get'), 2011)
    const { p50_us = 0, p90_us = 0, p99_us = 0, p999_us = 0, max_us = 0 } = result
    t.true(0 < p50_us && p50_us <= p90_us && p90_us <= p99_us && p99_us <= p999_us && p999_us <= max_us)
  })
}

test('stores a value first, which the GETs find', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  const result = await runLoad(server.port, '--requests', '50', '--value-bytes', '100000')
  t.is(result.misses, 0)
  t.is(await readStat(server, 'cmd_get'), 50)
})

test('sends large SETs', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  await runLoad(
    server.port,
    '--requests',
    '30',
    '--set-bytes',
    '500000',
    '--connections',
    '4',
    '--pipeline',
    '3',
  )
  t.is(await readStat(server, 'cmd_set'), 30)
})

test('connects, says so, and sends when told', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  const args = ['--port', String(server.port), '--requests', '10', '--connections', '5', '--idle-first']
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  t.is((await lines.next()).value, 'connected')
  t.is(await readStat(server, 'curr_connections'), 5 + 1)
  t.is(await readStat(server, 'cmd_get'), 1, 'the sentinel of the reading before')
  const closed = once(child, 'close')
  child.stdin.write('go\n')
  t.is(JSON.parse((await lines.next()).value ?? '').requests, 10)
  t.deepEqual(await closed, [0, null])
})

test('ends when its stdin closes before the start', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  const child = spawn(program, ['--port', String(server.port), '--requests', '1', '--idle-first'])
  const closed = once(child, 'close')
  child.stdin.end()
  t.deepEqual(await closed, [1, null])
})

test('counts latency from when a request was due, not from when it could be sent', async t => {
  let isStalled = false
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', async () => {
      if (!isStalled) {
        isStalled = true
        await setTimeout(300)
      }
      socket.write('END\r\n')
    })
  })
  t.teardown(() => server.close())
  const result = await runLoad(await listen(server), '--requests', '500', '--rate', '1000')
  // 300 of the 500 were due during the stall, and waited half of it on average.
  t.true((result.p50_us ?? 0) > 30_000, `${result.p50_us}`)
  t.true((result.max_us ?? 0) > 290_000, `${result.max_us}`)
})

test('fails when a request is not answered', async t => {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.once('data', () => socket.write('END\r\n', () => socket.destroy()))
  })
  t.teardown(() => server.close())
  const port = await listen(server)
  const { code, stdout, stderr } = await run(program, ['--port', String(port), '--requests', '5'])
  t.is(code, 1)
  t.is(stdout, '')
  t.regex(stderr, /\(\d sent, 1 answered\)/)
})

test('fails on an answer that is an error', async t => {
  const server = await startDemoServer()
  t.teardown(server.stop)
  const args = ['--port', String(server.port), '--requests', '5', '--set-bytes', '2000000']
  const { code, stderr } = await run(program, args)
  t.is(code, 1)
  t.regex(stderr, /SERVER_ERROR object too large/)
})

test('gives up after its timeout', async t => {
  const server = createServer(socket => socket.on('error', () => {}).resume())
  t.teardown(() => server.close())
  const port = await listen(server)
  const { code, stderr } = await run(program, ['--port', String(port), '--requests', '1', '--timeout', '1'])
  t.is(code, 1)
  t.regex(stderr, /timed out/)
})

for (const args of [
  [],
  ['--port', '1'],
  ['--port', '0', '--requests', '1'],
  ['--port', '1', '--requests', '1', '--seconds', '1'],
  ['--port', '1', '--requests', '1', '--protocol', 'smtp'],
  ['--port', '1', '--requests', '1', 'extra'],
  ['--port', '1', '--requests', '1x'],
  ['--port', '1', '--requests', '1', '--host', 'localhost'],
]) {
  test(`refuses: kvload ${args.join(' ')}`, async t => {
    t.is((await run(program, args)).code, 2)
  })
}
