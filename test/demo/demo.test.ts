import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { startDemo } from '../../src/demo/demo.js'
import { exchange } from './fixtures/exchange.js'
import { waitUntilGone } from './fixtures/processes.js'

/** What the service counted, from its own `stats`. */
const readStats = async (port: number): Promise<Record<string, number>> => {
  const text = await exchange(port, ['stats\r\n'])
  return Object.fromEntries(
    [...text.matchAll(/STAT (\S+) (\d+)/g)].map(([, name, value]) => [name, Number(value)]),
  )
}

const waitForRequests = async (port: number, requests: number): Promise<void> => {
  for (;;) {
    const { cmd_get = 0, cmd_set = 0 } = await readStats(port)
    if (cmd_get + cmd_set >= requests) return
    await setTimeout(20)
  }
}

/** The reading's own connection counts too; that of the one before may not be closed yet. */
const waitForConnections = async (port: number, connections: number): Promise<void> => {
  while ((await readStats(port)).curr_connections !== connections) await setTimeout(20)
}

test('serves its own load, and every request is answered', async t => {
  const demo = await startDemo({ connections: 4, rate: 500 })
  await waitForRequests(demo.port, 200)
  await waitForConnections(demo.port, 4 + 1)
  const { get_hits = 0, evictions } = await readStats(demo.port)
  t.true(get_hits > 0)
  t.is(evictions, 0)
  const result = await demo.stop()
  // The service counted the readings of its stats too.
  t.true(result.requests >= 100)
  t.is(result.sent, result.requests)
  t.true(result.p50_us > 0)
  t.true(result.p50_us <= result.p99_us && result.p99_us <= result.max_us)
  await Promise.all([demo.serverPid, demo.clientPid].map(waitUntilGone))
})

test('says so when the load broke off', async t => {
  const demo = await startDemo({ connections: 2, rate: 100 })
  process.kill(demo.serverPid, 'SIGKILL')
  await waitUntilGone(demo.clientPid)
  await t.throwsAsync(demo.stop(), { message: /the demo's load broke off: .*(closed|ECONNRESET|EPIPE)/ })
})

test('leaves no process when its parent is killed', async t => {
  const program = fileURLToPath(new URL('fixtures/run-demo.js', import.meta.url))
  const parent = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface(parent.stdout), 'line')
  const pids: number[] = JSON.parse(line)
  t.is(pids.length, 2)
  parent.kill('SIGKILL')
  await Promise.all(pids.map(waitUntilGone))
})
