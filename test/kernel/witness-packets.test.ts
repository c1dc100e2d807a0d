import { readFile } from 'node:fs/promises'
import test from 'ava'
import { listNumbered, readText } from '../../src/system/files.js'
import { attachDelays, buildPrograms } from '../attribution/programs.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type Load, runLoad } from './support/load.js'
import { createNetns } from './support/netns.js'
import { startAnswering } from './support/processes.js'
import { readScheduled } from './support/scheduler.js'
import { type Service, startMemcached } from './support/services.js'

/** How many packets the kernel's CPUs have taken up, whosoever they were: the first number of each line. */
const countPackets = async (): Promise<number> => {
  const lines = (await readFile('/proc/net/softnet_stat', 'utf8')).trim().split('\n')
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ', 1)[0] ?? '', 16), 0)
}

type Counted = { packets: number; rx_ns: number; recursion: number }

test.before('builds the program that delays', buildPrograms)

/** Counts the packets of the requests in a namespace; `witness` is read before and after. */
const countPacketsOf = async <Reading>(
  t: Context,
  { netns, service, load }: { netns: string; service: Service; load: Omit<Load, 'port'> },
  witness: () => Promise<Reading>,
) => {
  const program = rootPath('dist/test/kernel/fixtures/packet-counter.js')
  const toggle = await startAnswering<Counted>(t, program, [service.port, netns])
  const readings = [await witness()]
  await toggle('open')
  readings.push(await witness())
  const result = await runLoad(t, { ...load, port: service.port }, netns)
  readings.push(await witness())
  const counted = await toggle('close')
  readings.push(await witness())
  t.is(counted.recursion, 0)
  return { counted, readings, result }
}

kernelTest(
  'counts the packets that softnet_stat counts',
  async t => {
    const requests = 200_000
    const netns = await createNetns(t)
    const service = await startMemcached(t, [], { netns })
    const load = { requests, connections: 8 }
    const { counted, readings } = await countPacketsOf(t, { netns, service, load }, countPackets)
    const [before = 0, opened = 0, closing = 0, closed = 0] = readings
    t.log(`${counted.packets} packets, ${closing - opened} to ${closed - before} by softnet_stat`)
    t.true(counted.packets >= 2 * requests)
    // Where nobody else received anything just when the window was opened and closed, these are one and the same number.
    t.true(counted.packets >= closing - opened)
    t.true(counted.packets <= closed - before)
  },
  ...['memcached', 'ip'],
)

/** The threads of the kernel that go on with softirqs when these have taken long. */
const listSoftirqThreads = (): number[] =>
  listNumbered('/proc').filter(pid => readText(`/proc/${pid}/comm`)?.startsWith('ksoftirqd/'))

/** Long against all else that is done for a request, on both sides. */
const DELAY_US = 2000
/** Requests a second, which leaves time for the delay: without it as well, both sides sleep before each. */
const RATE = 400

kernelTest(
  'finds no more and no less time in softirqs than the scheduler gives those in whose time they run',
  async t => {
    const netns = await createNetns(t)
    const service = await startMemcached(t, [], { netns })
    const pids = [service.pid, ...listSoftirqThreads()]
    const readRan = async (): Promise<number> =>
      (await Promise.all(pids.map(readScheduled))).reduce((sum, { ranNs }) => sum + ranNs, 0)
    /** The threads' time and the softirqs' of so many requests, each delayed in the softirq that receives it. */
    const measure = async (delayUs: number) => {
      const place = { program: 'delay_request', hook: 'ingress', device: 'lo' } as const
      const delay = await attachDelays({ t, serviceCpu: 0 }, netns, { port: service.port, delayUs }, place)
      const load = { requests: 2500, rate: RATE }
      const { counted, readings, result } = await countPacketsOf(t, { netns, service, load }, readRan)
      const injectedNs = Number((await delay.end()).sumNs)
      const [, from = 0, to = 0] = readings
      return {
        threadsNs: to - from + result.cpu_us * 1000 * load.requests,
        softirqNs: counted.rx_ns,
        injectedNs,
      }
    }
    const before = await measure(0)
    const { threadsNs, softirqNs, injectedNs } = await measure(DELAY_US)
    const after = await measure(0)
    // Others on the same hardware slow all this down for seconds: no more of it is the threads' own than before and after together.
    const mostOwnNs = before.threadsNs + after.threadsNs
    const seconds = (ns: number): string => `${(ns / 1e9).toFixed(3)} s`
    t.log(
      `${seconds(softirqNs)} in softirqs, ${seconds(injectedNs)} of them injected; the threads had ${seconds(threadsNs)}, ` +
        `and ${seconds(before.threadsNs)} and ${seconds(after.threadsNs)} where nothing was injected`,
    )
    // A kernel that keeps the time of interrupts apart gives it to no thread.
    if (threadsNs < injectedNs) return t.log('this kernel takes the time of softirqs out of the threads')
    t.true(softirqNs <= threadsNs)
    t.true(softirqNs >= threadsNs - mostOwnNs)
  },
  ...['memcached', 'ip'],
)
