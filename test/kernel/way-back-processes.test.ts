import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openConnections } from './support/client.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listChildren } from './support/scheduler.js'
import { startNginx, startService } from './support/services.js'
import { runTaut } from './support/taut.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)

type Change = { id: number; now: string; note: string; state: string }

/** Whether threads have run since is for chance to say. */
const isInForce = (change: Change | undefined): boolean =>
  ['verified', 'written'].includes(change?.state ?? '')

/** taut with a state of its own, and how to see what it has set. */
const createTaut = async (t: Context) => {
  const env = { TAUT_STATE: join(await createFolder(t), 'state') }
  const taut = async (...args: (string | number)[]): Promise<Change[]> => {
    const { code, stdout, stderr } = await runTaut(t, [...args, '--json'], { env })
    t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
    return JSON.parse(stdout)
  }
  const pin = (port: number) => taut('apply', '--set', 'cpu.app_affinity=first', '--port', port, '--yes')
  return { taut, pin }
}

const listIds = async (folder: string): Promise<number[]> => (await readdir(folder)).map(Number)

const readCpus = async (tid: number): Promise<string> => {
  const status = await readFile(`/proc/${tid}/status`, 'utf8')
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? ''
}

const setCpus = (tid: number, cpus: string) => run('taskset', ['-pc', cpus, String(tid)])

/** A service whose threads are one a connection, and what CPUs they may run on. */
const startThreads = async (t: Context) => {
  const service = await startService(t, '--model', 'thread-per-connection')
  const list = () => listIds(`/proc/${service.pid}/task`)
  const begin = async (): Promise<{ tid: number; end: () => Promise<void> }> => {
    const before = await list()
    const [socket] = await openConnections(t, service, 1)
    const tid = await waitFor(
      'its thread',
      async () => (await list()).find(tid => !before.includes(tid)) ?? null,
    )
    const end = async (): Promise<void> => {
      socket?.destroy()
      await waitFor('its end', () => (existsSync(`/proc/${service.pid}/task/${tid}`) ? null : true))
    }
    return { tid, end }
  }
  const cpus = async () => new Set(await Promise.all((await list()).map(readCpus)))
  return { service, begin, cpus }
}

kernelTest('threads that begin after they were given CPUs get those of before, too', async t => {
  const { taut, pin } = await createTaut(t)
  const { service, begin, cpus } = await startThreads(t)
  const before = await cpus()
  await begin()
  await pin(service.port)
  await begin()
  t.deepEqual(await cpus(), new Set(['0']))
  await taut('revert')
  t.deepEqual(await cpus(), before)
})

kernelTest('a thread that had other CPUs, and has ended, keeps nothing from being put back', async t => {
  const { taut, pin } = await createTaut(t)
  const { service, begin, cpus } = await startThreads(t)
  const before = await cpus()
  const own = await begin()
  await setCpus(own.tid, '1')
  await pin(service.port)
  await own.end()
  t.true(isInForce((await taut('status'))[0]))
  await taut('revert')
  t.deepEqual(await cpus(), before)
  t.deepEqual(await taut('status'), [])
})

kernelTest('a thread that is given CPUs of its own meanwhile keeps them, the others do not', async t => {
  const { taut, pin } = await createTaut(t)
  const { service, begin, cpus } = await startThreads(t)
  const before = await cpus()
  await pin(service.port)
  const own = await begin()
  await setCpus(own.tid, '1')
  t.true(isInForce((await taut('status'))[0]))
  await taut('revert')
  t.is(await readCpus(own.tid), '1')
  await own.end()
  t.deepEqual(await cpus(), before)
})

kernelTest(
  'processes that a service starts after it was given CPUs get those of before, too',
  async t => {
    const { taut, pin } = await createTaut(t)
    const nginx = await startNginx(t)
    const children = (): Promise<number[]> => listChildren(nginx.pid)
    const before = await readCpus(nginx.pid)
    const old = await children()
    await pin(nginx.port)
    process.kill(nginx.pid, 'SIGHUP')
    const fresh = await waitFor('new workers alone', async () => {
      const now = await children()
      return now.length > 0 && now.every(pid => pid > 0 && !old.includes(pid)) ? now : null
    })
    for (const pid of fresh) t.is(await readCpus(pid), '0')
    await taut('revert')
    for (const pid of [nginx.pid, ...fresh]) t.is(await readCpus(pid), before)
  },
  'nginx',
)

const findHolder = async (): Promise<number> => {
  for (const pid of (await listIds('/proc')).filter(pid => pid > 0)) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '')
    if (environment.includes('TAUT_CPU_LATENCY_US=')) return pid
  }
  throw new Error('nobody holds it')
}

const readLatency = async (): Promise<number> => (await readFile('/dev/cpu_dma_latency')).readInt32LE()

const killHolder = async (): Promise<void> => {
  const pid = await findHolder()
  process.kill(pid, 'SIGKILL')
  await waitFor('its end', () => (existsSync(`/proc/${pid}/fd/3`) ? null : true))
}

if (existsSync('/dev/cpu_dma_latency'))
  kernelTest(
    'an idle latency whose holder was ended: it is said, and the one before is held again',
    async t => {
      const { taut } = await createTaut(t)
      const before = await readLatency()
      const hold = (us: number) => taut('apply', '--set', `cpu.idle_latency=${us}`, '--yes')
      await hold(500)
      await killHolder()
      const [gone] = await taut('status')
      t.is(gone?.state, 'undone')
      t.is(gone?.note, 'the process that held it has ended')

      await taut('revert')
      await hold(500)
      await hold(300)
      t.is(await readLatency(), Math.min(before, 300))
      await killHolder()
      const lapsed = (await taut('status')).at(-1)
      t.is(lapsed?.note, 'the process that held it has ended')
      t.is(lapsed?.state, 'no-effect')
      t.is(await readLatency(), before)
      await taut('revert')
      t.is(await readLatency(), Math.min(before, 500))
      await taut('revert')
      t.is(await readLatency(), before)
      t.deepEqual(await taut('status'), [])
    },
  )
