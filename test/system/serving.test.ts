import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import type { Service } from '../../src/system/services.js'
import { ServingProcesses } from '../../src/system/serving.js'
import { createTarget } from '../../src/system/target.js'

const createService = (pids: number[], other: Partial<Service> = {}): Service => ({
  port: 11_211,
  protocol: 'tcp',
  addresses: ['0.0.0.0'],
  netns: 1,
  pids,
  pid: pids[0] ?? null,
  comm: 'memcached',
  ...other,
})

const startProcess = async (t: ExecutionContext): Promise<{ pid: number; child: ChildProcess }> => {
  const child = spawn('sleep', ['60'])
  t.teardown(() => child.kill('SIGKILL'))
  await once(child, 'spawn')
  return { pid: child.pid ?? 0, child }
}

const end = async ({ child }: { child: ChildProcess }): Promise<void> => {
  child.kill('SIGKILL')
  await once(child, 'close')
}

/** Follows the first of several lists of services; each look takes the next, and the last again and again. */
const follow = (...lists: Service[][]) => {
  let looks = 0
  const [services = []] = lists
  const [first] = services
  if (first === undefined) throw new Error('no service')
  const processes = new ServingProcesses(createTarget(first, services), async () => {
    looks++
    return lists[Math.min(looks, lists.length - 1)] ?? []
  })
  return { processes, countLooks: () => looks }
}

test('looks for nobody as long as all processes live', async t => {
  const service = createService([(await startProcess(t)).pid])
  const { processes, countLooks } = follow([service])
  for (let refreshes = 0; refreshes < 20; refreshes++) await processes.refresh()
  t.is(countLooks(), 0)
  t.is(processes.serving.service, service)
})

test('finds the processes of a service that has started anew, whatever else is on the port', async t => {
  const [before, after] = [await startProcess(t), await startProcess(t)]
  const others = [
    createService([4], { port: 80 }),
    createService([5], { protocol: 'udp' }),
    createService([6], { netns: 2 }),
  ]
  const service = createService([after.pid], { comm: 'memcached-new' })
  const { processes, countLooks } = follow([createService([before.pid])], [...others, service])
  await end(before)
  await processes.refresh()
  t.is(processes.serving.service, service)
  t.deepEqual(processes.serving.pids, [after.pid])
  await processes.refresh()
  t.is(countLooks(), 1)
})

test('one of several that is gone is enough to look', async t => {
  const [master, worker, next] = [await startProcess(t), await startProcess(t), await startProcess(t)]
  const lists = [[createService([master.pid, worker.pid])], [createService([master.pid, next.pid])]]
  const { processes } = follow(...lists)
  await end(worker)
  await processes.refresh()
  t.deepEqual(processes.serving.pids, [master.pid, next.pid])
  t.is(processes.serving.service.pid, master.pid)
})

test('while nobody serves, the last one is named, and looks get fewer; who comes then is found', async t => {
  const [before, after] = [await startProcess(t), await startProcess(t)]
  const none = Array.from({ length: 6 }, () => [createService([], { pid: null, comm: null })])
  const first = createService([before.pid])
  const { processes, countLooks } = follow([first], ...none, [createService([after.pid])])
  await end(before)
  for (let refreshes = 0; refreshes < 16; refreshes++) await processes.refresh()
  t.is(countLooks(), 5)
  t.is(processes.serving.service, first)
  for (let refreshes = 0; refreshes < 16; refreshes++) await processes.refresh()
  t.is(processes.serving.service.pid, after.pid)
})

test('of whom no process is known nobody is looked for', async t => {
  const { processes, countLooks } = follow([createService([])])
  await processes.refresh()
  t.is(countLooks(), 0)
})
