import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { enableRunStats, listPrograms } from 'libbpf-ts'
import type { Overheads } from '../../src/latency/overheads.js'
import { OverheadSampler } from '../../src/probes/overhead-sampler.js'
import { listServices } from '../../src/system/services.js'
import { resolveTarget } from '../../src/system/target.js'
import { assertExact, assertNear } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { connectFirst, runLoad } from './support/load.js'
import { createNetnsPair, writeSettings } from './support/netns.js'
import { startMemcached } from './support/services.js'
import { countReceiveSoftirqs, readSoftnet } from './support/softnet.js'
import { startMeasuring } from './support/taut.js'

const REQUESTS = 4000
const RATE = 1000
/** Of a sample of at least 500 requests, in which a request more or less is cut off at either end. */
const TOLERANCE = 0.02

/** What the kernel counts of a process without any probe, of all its threads. */
type Account = { reads: number; voluntary: number; involuntary: number }

const readAccount = async (pid: number): Promise<Account> => {
  const account = { reads: 0, voluntary: 0, involuntary: 0 }
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const folder = join('/proc', String(pid), 'task', thread)
    const status = await readFile(join(folder, 'status'), 'utf8')
    account.reads += readNumber(await readFile(join(folder, 'io'), 'utf8'), 'syscr')
    account.voluntary += readNumber(status, 'voluntary_ctxt_switches')
    account.involuntary += readNumber(status, 'nonvoluntary_ctxt_switches')
  }
  return account
}

const readNumber = (text: string, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(text)?.[1])

/**
 * Measures memcached under a steady load; gives what taut says of its overheads, and what the kernel's accounting does, the
 * machine's packets for each NET_RX softirq among it.
 */
const measure = async (t: Context): Promise<{ overheads: Overheads; own: Account; packets: number }> => {
  const service = await startMemcached(t, ['-t', 1])
  const send = await connectFirst(t, { port: service.port, requests: REQUESTS, rate: RATE, connections: 1 })
  const measurement = await startMeasuring(t, '--port', service.port)
  const before = await readAccount(service.pid)
  const [softnet, softirqs] = [await readSoftnet(), await countReceiveSoftirqs()]
  await send()
  const packets =
    ((await readSoftnet()).packets - softnet.packets) / ((await countReceiveSoftirqs()) - softirqs)
  const after = await readAccount(service.pid)
  const document = await measurement.stop()
  assertExact(t, document, REQUESTS)
  const perRequest = (name: keyof Account): number => (after[name] - before[name]) / REQUESTS
  return {
    overheads: document.overheads,
    packets,
    own: {
      reads: perRequest('reads'),
      voluntary: perRequest('voluntary'),
      involuntary: perRequest('involuntary'),
    },
  }
}

kernelTest(
  'system calls, context switches and events are those that the kernel accounts for',
  async t => {
    const { overheads, own, packets } = await measure(t)
    const about = (actual: number | null | undefined, expected: number): boolean =>
      Math.abs((actual ?? Number.NaN) - expected) <= TOLERANCE * Math.max(1, expected)
    const said = JSON.stringify({ overheads, own, packets })
    const calls = new Map(overheads.syscalls?.map(call => [call.name, call]))

    t.true((overheads.sample?.requests ?? 0) >= 500, said)
    t.true(about(calls.get('read')?.per_request, own.reads), said)
    t.true(about(calls.get('sendmsg')?.per_request, 1), said)
    t.true(about(overheads.context_switches_per_request?.voluntary, own.voluntary), said)
    // Each request finds memcached waiting in epoll_wait, which returns this one event.
    t.true(about(overheads.epoll_wakeups_per_request, 1), said)
    t.is(overheads.events_per_wakeup, 1, said)
    const sum = [...calls.values()].reduce((total, call) => total + call.per_request, 0)
    t.true(about(overheads.syscalls_per_request, sum), said)
    // What goes by loopback is polled once a softirq.
    t.true(about(overheads.packets_per_poll, packets), said)
  },
  'memcached',
)

kernelTest(
  'times are parts of the calls that they lie in',
  async t => {
    const { overheads } = await measure(t)
    const said = JSON.stringify(overheads)
    const calls = new Map(overheads.syscalls?.map(call => [call.name, call]))
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
)

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
