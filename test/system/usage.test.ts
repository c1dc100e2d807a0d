import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { createUsageMeter } from '../../src/system/usage.js'

/** What this process used by now, and when, in ms. */
const look = () => {
  const { user, system } = process.cpuUsage()
  return { cpu: (user + system) / 1000, at: performance.now() }
}

/** The kernel counts both in ticks of 10 ms, at both ends. */
const TICKS_MS = 20

test('gives the CPU of the interval since the last reading', async t => {
  const read = createUsageMeter()
  // Other test files run in this process, and hold it up: what was read is somewhere between what is seen before and after.
  const [first, second] = [look(), await read([process.pid]).then(look)]
  while (performance.now() - second.at < 600) {}
  const third = look()
  const usage = await read([process.pid])
  const fourth = look()
  const [inner, outer] = [third.at - second.at, fourth.at - first.at]
  const least = (100 * (third.cpu - second.cpu - TICKS_MS)) / (outer + TICKS_MS)
  const most = (100 * (fourth.cpu - first.cpu + TICKS_MS)) / (inner - TICKS_MS)
  const percent = usage?.cpuPercent ?? 0
  t.true(percent >= least && percent <= most, `${percent} is not within ${least} and ${most}`)
  t.true(least > 0)
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

test('the CPU of a time in which a process ended is not known, and that of the next one is', async t => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  t.teardown(() => child.kill('SIGKILL'))
  const read = createUsageMeter()
  await read([process.pid, child.pid ?? 0])
  child.kill('SIGKILL')
  await once(child, 'close')
  t.is((await read([process.pid]))?.cpuPercent, null)
  t.not((await read([process.pid]))?.cpuPercent, null)
  t.is((await read([process.pid, child.pid ?? 0]))?.cpuPercent, null)
})

test('a process that began since the last reading counts with all it used, as a part of the whole time', async t => {
  const sleeper = spawn('sleep', ['60'])
  t.teardown(() => sleeper.kill('SIGKILL'))
  await once(sleeper, 'spawn')
  const read = createUsageMeter()
  const first = performance.now()
  await read([sleeper.pid ?? 0])
  const second = performance.now()
  await setTimeout(300)
  const code = `const end = performance.now() + 300
    while (performance.now() < end) {}
    const { user, system } = process.cpuUsage()
    console.log((user + system) / 1000)
    process.stdin.resume()`
  const child = spawn(process.execPath, ['-e', code])
  t.teardown(() => child.kill('SIGKILL'))
  const usedMs = Number((await once(child.stdout, 'data'))[0])
  const third = performance.now()
  const percent = (await read([sleeper.pid ?? 0, child.pid ?? 0]))?.cpuPercent ?? Number.NaN
  const least = (100 * (usedMs - TICKS_MS)) / (performance.now() - first)
  // What it takes to print and to wait comes on top.
  const most = (100 * (usedMs + 2 * TICKS_MS)) / (third - second)
  t.true(percent >= least && percent <= most, `${percent} is not within ${least} and ${most}`)
})

test('gives null for no process', async t => {
  t.is(await createUsageMeter()([]), null)
})
