import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { createUsageMeter } from '../../src/system/usage.js'

/** CPU that this process used, in ms. */
const readOwnCpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

test('gives the CPU of the interval since the last reading', async t => {
  const read = createUsageMeter()
  await read([process.pid])
  const before = { cpu: readOwnCpu(), at: performance.now() }
  while (performance.now() - before.at < 600) {}
  const usage = await read([process.pid])
  const expected = (100 * (readOwnCpu() - before.cpu)) / (performance.now() - before.at)
  // Ticks of 10 ms at both ends of both quantities.
  t.true(Math.abs((usage?.cpuPercent ?? 0) - expected) < 10, `${usage?.cpuPercent} is not about ${expected}`)
})

test('gives the resident memory', async t => {
  // Of a process that stands still: this one grows meanwhile, since other test files run in it too.
  const child = spawn(process.execPath, ['-e', 'console.log(1); process.stdin.resume()'])
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  const usage = await createUsageMeter()([child.pid ?? 0])
  const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
  const kilobytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1])
  const ratio = (usage?.rssBytes ?? 0) / (1024 * kilobytes)
  t.true(ratio > 0.8 && ratio < 1.25, String(ratio))
})

test('adds up processes and leaves out one that is gone', async t => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const gone = spawnSync('true').pid
  const pid = child.pid ?? 0
  const read = createUsageMeter()
  const one = await read([pid])
  const both = await read([process.pid, pid, gone])
  t.true((both?.rssBytes ?? 0) > (one?.rssBytes ?? Number.POSITIVE_INFINITY))
  child.kill('SIGKILL')
  await once(child, 'close')
  t.is(await read([pid]), null)
  t.is(await read([pid, gone]), null)
  t.truthy(await read([process.pid, pid]))
})

test('gives null for no process', async t => {
  t.is(await createUsageMeter()([]), null)
})
