import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { enableRunStats, listPrograms } from 'libbpf-ts'
import type { Overheads } from '../../src/latency/overheads.js'
import { OverheadSampler } from '../../src/probes/overhead-sampler.js'
import { listServices } from '../../src/system/services.js'
import { resolveTarget } from '../../src/system/target.js'
import { assertExact, assertNear } from './support/assertions.js'
import { MESSAGES, prepareQuestions, startEcho } from './support/datagrams.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { connectFirst, runLoad } from './support/load.js'
import { createNetnsPair, writeSettings } from './support/netns.js'
import { runNginx } from './support/nginx.js'
import { listChildren } from './support/scheduler.js'
import { findFreePort, startMemcached } from './support/services.js'
import { countReceiveSoftirqs, readSoftnet } from './support/softnet.js'
import { startMeasuring } from './support/taut.js'
import { waitFor, waitForFile } from './support/wait.js'
import { startWithoutBtf } from './support/without-btf.js'

const REQUESTS = 4000
const RATE = 1000
/** Of a sample of at least 500 requests, in which a request more or less is cut off at either end. */
const TOLERANCE = 0.02

/** What the kernel counts of processes without any probe, of all their threads. */
type Account = { reads: number; writes: number; voluntary: number; involuntary: number }

const readAccount = async (...pids: readonly number[]): Promise<Account> => {
  const account = { reads: 0, writes: 0, voluntary: 0, involuntary: 0 }
  for (const pid of pids) {
    for (const thread of await readdir(`/proc/${pid}/task`)) {
      const folder = join('/proc', String(pid), 'task', thread)
      const [status, io] = [
        await readFile(join(folder, 'status'), 'utf8'),
        await readFile(join(folder, 'io'), 'utf8'),
      ]
      account.reads += readNumber(io, 'syscr')
      account.writes += readNumber(io, 'syscw')
      account.voluntary += readNumber(status, 'voluntary_ctxt_switches')
      account.involuntary += readNumber(status, 'nonvoluntary_ctxt_switches')
    }
  }
  return account
}

const readNumber = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(text)?.[1])

/** What was counted from one account to a later one, a request. */
const perRequest = (before: Account, after: Account): Account => ({
  reads: (after.reads - before.reads) / REQUESTS,
  writes: (after.writes - before.writes) / REQUESTS,
  voluntary: (after.voluntary - before.voluntary) / REQUESTS,
  involuntary: (after.involuntary - before.involuntary) / REQUESTS,
})

/** With the kernel's BTF, or as on a kernel that has none. */
const WAYS: readonly [title: string, start: typeof startMeasuring, ...programs: string[]][] = [
  ['', startMeasuring],
  ['without BTF in the kernel, ', startWithoutBtf, 'unshare'],
]

/**
 * Measures memcached under a steady load; gives what taut says of its overheads, and what the kernel's accounting does, the
 * machine's packets for each NET_RX softirq among it.
 */
const measure = async (
  t: Context,
  start: typeof startMeasuring,
): Promise<{ overheads: Overheads; own: Account; packets: number }> => {
  const service = await startMemcached(t, ['-t', 1])
  const send = await connectFirst(t, { port: service.port, requests: REQUESTS, rate: RATE, connections: 1 })
  const measurement = await start(t, '--port', service.port)
  const before = await readAccount(service.pid)
  const [softnet, softirqs] = [await readSoftnet(), await countReceiveSoftirqs()]
  await send()
  const packets =
    ((await readSoftnet()).packets - softnet.packets) / ((await countReceiveSoftirqs()) - softirqs)
  const own = perRequest(before, await readAccount(service.pid))
  const document = await measurement.stop()
  assertExact(t, document, REQUESTS)
  return { overheads: document.overheads, packets, own }
}

/** Whether a number is another, but for what a sample may be off. */
const isAbout = (actual: number | null | undefined, expected: number): boolean =>
  Math.abs((actual ?? Number.NaN) - expected) <= TOLERANCE * Math.max(1, expected)

/**
 * An emulated machine is so much slower while a sample is taken that a request finds the service awake more often; but nothing else
 * runs there to preempt it.
 */
const IS_EMULATED = process.env.TAUT_TEST_EMULATED !== undefined

const assertSwitches = (t: Context, overheads: Overheads, own: Account, said: string): void => {
  const { voluntary, involuntary } = overheads.context_switches_per_request ?? {
    voluntary: Number.NaN,
    involuntary: Number.NaN,
  }
  if (IS_EMULATED) t.true(isAbout(voluntary + involuntary, own.voluntary + own.involuntary), said)
  else t.true(isAbout(voluntary, own.voluntary), said)
}

const sumCalls = ({ syscalls }: Overheads): number =>
  (syscalls ?? []).reduce((total, call) => total + call.per_request, 0)

const findCalls = ({ syscalls }: Overheads) => new Map(syscalls?.map(call => [call.name, call]))

for (const [title, start, ...programs] of WAYS) {
  kernelTest(
    `${title}system calls, context switches and events are those that the kernel accounts for`,
    async t => {
      const { overheads, own, packets } = await measure(t, start)
      const said = JSON.stringify({ overheads, own, packets })
      const calls = findCalls(overheads)

      t.true((overheads.sample?.requests ?? 0) >= 500, said)
      t.true(isAbout(calls.get('read')?.per_request, own.reads), said)
      t.true(isAbout(calls.get('sendmsg')?.per_request, 1), said)
      assertSwitches(t, overheads, own, said)
      // Each request finds memcached waiting in epoll_wait, which returns this one event.
      t.true(isAbout(overheads.epoll_wakeups_per_request, 1), said)
      t.is(overheads.events_per_wakeup, 1, said)
      t.true(isAbout(overheads.syscalls_per_request, sumCalls(overheads)), said)
      // What goes by loopback is polled once a softirq.
      t.true(isAbout(overheads.packets_per_poll, packets), said)
    },
    'memcached',
    ...programs,
  )

  kernelTest(
    `${title}times are parts of the calls that they lie in`,
    async t => {
      const { overheads } = await measure(t, start)
      const said = JSON.stringify(overheads)
      const calls = findCalls(overheads)
      const { vfs_send_ns: send, vfs_recv_ns: recv, vfs_ns: both } = overheads
      t.true(send !== null && send > 0 && send < (calls.get('sendmsg')?.mean_ns ?? 0), said)
      t.true(recv !== null && recv > 0, said)
      // These two are a call's, and that is a request's; the numbers of calls have three decimals.
      const sums = [calls.get('sendmsg'), calls.get('read')].map(
        (call, index) => (call?.per_request ?? 0) * ([send, recv][index] ?? 0),
      )
      const rounding = ((send ?? 0) + (recv ?? 0)) * 0.0005 + 1
      t.true(both !== null && both >= sums.reduce((sum, ns) => sum + ns, 0) - rounding, said)
    },
    'memcached',
    ...programs,
  )

  kernelTest(
    `${title}of a service that receives datagrams, system calls and context switches are its own`,
    async t => {
      const service = await startEcho(t, {})
      // One at a time: each finds the service asleep.
      const questions = { message: MESSAGES.echo, requests: REQUESTS, rate: RATE, peers: 1 }
      const ask = await prepareQuestions(t, service, questions)
      const measurement = await start(t, '--port', `${service.port}/udp`)
      const before = await readAccount(service.pid)
      await ask()
      const own = perRequest(before, await readAccount(service.pid))
      const { requests, overheads } = await measurement.stop()
      t.is(requests, (await service.finish()).requests)
      const said = JSON.stringify({ overheads, own })
      const calls = findCalls(overheads)

      t.true((overheads.sample?.requests ?? 0) >= 200, said)
      // It waits in recvfrom, without epoll, and answers by sendto; that is all that it calls.
      t.deepEqual([...calls.keys()].sort(), ['recvfrom', 'sendto'], said)
      for (const name of ['recvfrom', 'sendto'])
        t.true(isAbout(calls.get(name)?.per_request, 1), `${name}: ${said}`)
      t.true(isAbout(overheads.syscalls_per_request, 2), said)
      assertSwitches(t, overheads, own, said)
      t.like(overheads, {
        epoll_wakeups_per_request: 0,
        events_per_wakeup: null,
        ready_to_return_us: null,
        // Nothing tells when a datagram in one piece is copied.
        vfs_recv_ns: null,
        vfs_send_ns: null,
        vfs_ns: null,
      })
      for (const call of calls.values()) t.true((call.mean_ns ?? 0) > 0, said)
    },
    ...programs,
  )

  kernelTest(
    `${title}of a service with a listening socket for each of its processes, all of them count`,
    async t => {
      const { port, workers } = await startWorkers(t)
      const load = { port, protocol: 'http', requests: REQUESTS, rate: RATE, connections: 32 } as const
      const send = await connectFirst(t, load)
      const measurement = await start(t, '--port', port)
      const before = await Promise.all(workers.map(pid => readAccount(pid)))
      await send()
      const after = await Promise.all(workers.map(pid => readAccount(pid)))
      const document = await measurement.stop()
      assertExact(t, document, REQUESTS)
      const { overheads } = document
      const each = before.map((account, index) => perRequest(account, after[index] ?? account))
      const said = JSON.stringify({ overheads, each })
      const calls = findCalls(overheads)
      const own = (name: keyof Account): number => each.reduce((sum, account) => sum + account[name], 0)

      // Each has answered more than what the numbers may be off, so that one of them is not taken for both.
      for (const { writes } of each) t.true(writes > 5 * TOLERANCE, said)
      t.true(isAbout(calls.get('writev')?.per_request, own('writes')), said)
      t.true(isAbout(own('writes'), 1), said)
      t.true(isAbout(calls.get('recvfrom')?.per_request, 1), said)
      t.true(isAbout(overheads.context_switches_per_request?.voluntary, own('voluntary')), said)
      // However many are ready at a time: each request is an event of one of these calls.
      const events = (overheads.epoll_wakeups_per_request ?? 0) * (overheads.events_per_wakeup ?? 0)
      t.true(isAbout(events, 1), said)
      t.true(isAbout(overheads.syscalls_per_request, sumCalls(overheads)), said)
    },
    'nginx',
    ...programs,
  )
}

/** Starts nginx with two processes that work, each with a listening socket of its own (SO_REUSEPORT). */
const startWorkers = async (t: Context): Promise<{ port: number; workers: number[] }> => {
  const port = await findFreePort()
  const server = `listen 127.0.0.1:${port} reuseport; return 200 "hello";`
  const running = await runNginx(t, { processes: 2, connections: 1024, server })
  // It listens by then.
  await waitForFile(join(running.folder, 'pid'), running)
  const workers = await waitFor('two workers', async () => {
    const children = await listChildren(running.pid)
    return children.length === 2 ? children : null
  })
  return { port, workers }
}

const SET_BYTES = 14_000

/** What the kernel counts of a service's namespace: packets that came by its wire, and those that IP got of them. */
const countReceived = async ({ pid }: { pid: number }): Promise<{ wire: number; ip: number }> => {
  const devices = await readFile(`/proc/${pid}/net/dev`, 'utf8')
  const [names, values] = (await readFile(`/proc/${pid}/net/snmp`, 'utf8'))
    .split('\n')
    .filter(line => line.startsWith('Ip:'))
    .map(line => line.split(' '))
  return {
    wire: Number(/^ *wire: *\d+ +(\d+)/m.exec(devices)?.[1]),
    ip: Number(values?.[names?.indexOf('InReceives') ?? -1]),
  }
}

kernelTest(
  'packets that GRO merges are those that IP does not get',
  async t => {
    const { server, client, ipv4: host } = await createNetnsPair(t)
    await writeSettings(server, 'ethtool -K wire gro on')
    // Each packet by itself, as on a wire: only such a sender's does the other end of a virtual one give to GRO.
    await writeSettings(client, 'ethtool -K wire tso off gso off')
    const service = await startMemcached(t, ['-t', 1], { host, netns: server })
    const load = { port: service.port, host, requests: REQUESTS, rate: RATE, connections: 1 }
    const send = await connectFirst(t, { ...load, 'set-bytes': SET_BYTES }, client)
    const measurement = await startMeasuring(t, '--netns', server, '--port', service.port)
    const before = await countReceived(service)
    await send()
    const after = await countReceived(service)
    const document = await measurement.stop()
    assertExact(t, document, REQUESTS)
    const merged = 1 - (after.ip - before.ip) / (after.wire - before.wire)
    const said = JSON.stringify({ overheads: document.overheads, before, after })
    t.true(merged > 0.5, said)
    assertNear(t, document.overheads.gro_merged_share ?? Number.NaN, merged, 0.05, said)
  },
  'memcached',
  'ip',
  'ethtool',
)

kernelTest(
  'what a sample takes is what the kernel says that its probes have run, but for what timing takes itself',
  async t => {
    const service = await startMemcached(t)
    const [target] = resolveTarget({ port: service.port }, await listServices())
    if (target === undefined) throw new Error('nothing listens')
    const others = new Set(listPrograms().map(({ id }) => id))
    using sampler = new OverheadSampler(target, { kind: 'tp_btf' })
    const load = runLoad(t, { port: service.port, connections: 1, rate: RATE, requests: REQUESTS })
    using _stats = enableRunStats()
    const taken = await sampler.sample(() => 0, true)
    await load
    const own = listPrograms().filter(({ id }) => !others.has(id))
    const byKernel = own.reduce((sum, { runTimeNs }) => sum + Number(runTimeNs), 0)
    const runs = own.reduce((sum, { runCount }) => sum + Number(runCount), 0)
    t.log(`${taken / runs} ns a run, ${byKernel / runs} by the kernel's account`)
    // Most are short, and to be timed twice takes longer than some of them do.
    t.true(taken < byKernel)
    t.true(taken > byKernel / 4)
  },
  'memcached',
)
