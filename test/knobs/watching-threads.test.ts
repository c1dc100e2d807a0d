import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { watchThreads } from '../../src/knobs/watching-threads.js'
import { listOnlineCpus } from '../../src/system/cpus.js'
import { readStat } from '../../src/system/stat.js'

const [first = 0, second] = listOnlineCpus()
/** Nobody interrupts. */
const NEVER = new AbortController().signal

/** Starts what runs on the first CPU until the test is over; `sleep` when it has nothing to do. */
const startOn = async (
  t: ExecutionContext,
  ...command: string[]
): Promise<ChildProcess & { pid: number }> => {
  const child = spawn('taskset', ['-c', String(first), ...command], { stdio: 'ignore' })
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error('not started')
  while (readStat(`/proc/${pid}/stat`)?.comm === 'taskset' || readStat(`/proc/${pid}/stat`)?.comm === 'node')
    await new Promise(setImmediate)
  return Object.assign(child, { pid })
}

test('threads that are on the CPUs they were given are seen', async t => {
  const { pid } = await startOn(t, 'sleep', '60')
  t.deepEqual(await watchThreads(pid, String(first), NEVER), {
    state: 'verified',
    evidence: `all 1 threads are on CPU ${first}`,
  })
})

const onTwo = second === undefined ? test.skip : test

onTwo('a thread that goes on elsewhere is seen', async t => {
  const { pid } = await startOn(t, 'sh', '-c', 'while :; do sleep 0.01; done')
  const { state, evidence } = await watchThreads(pid, String(second), NEVER)
  t.is(state, 'no-effect')
  t.is(evidence, `accepted by the kernel, no effect seen: thread ${pid} ran on CPU ${first}`)
})

onTwo('of threads that do not run there is nothing to see', async t => {
  const { pid } = await startOn(t, 'sleep', '60')
  process.kill(pid, 'SIGSTOP')
  while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await new Promise(setImmediate)
  t.deepEqual(await watchThreads(pid, String(second), NEVER), {
    state: 'written',
    evidence: 'it reads back; no thread ran meanwhile',
  })
})

onTwo('who is interrupted looks no longer', async t => {
  const { pid } = await startOn(t, 'sleep', '60')
  const controller = new AbortController()
  const looking = watchThreads(pid, String(second), controller.signal)
  controller.abort()
  await t.throwsAsync(looking, { name: 'AbortError' })
})
