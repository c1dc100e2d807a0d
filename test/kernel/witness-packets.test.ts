import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { assertNear } from './support/assertions.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { createNetns } from './support/netns.js'
import { startAnswering } from './support/processes.js'
import { startMemcached } from './support/services.js'

/** How many packets the kernel's CPUs have taken up, whosoever they were: the first number of each line. */
const countPackets = async (): Promise<number> => {
  const lines = (await readFile('/proc/net/softnet_stat', 'utf8')).trim().split('\n')
  return lines.reduce((sum, line) => sum + Number.parseInt(line.split(' ', 1)[0] ?? '', 16), 0)
}

/** How often softirqs have run: those that receive packets, and all others. */
const countSoftirqs = async (): Promise<{ receive: number; others: number }> => {
  const counts = { receive: 0, others: 0 }
  for (const line of (await readFile('/proc/softirqs', 'utf8')).trim().split('\n').slice(1)) {
    const [name, ...runs] = line.trim().split(/[: ]+/)
    counts[name === 'NET_RX' ? 'receive' : 'others'] += runs.reduce((sum, count) => sum + Number(count), 0)
  }
  return counts
}

/** The units of /proc/stat, USER_HZ: a hundredth of a second. */
const TICK_NS = 1e7

/** For how long the CPUs did something, were in softirqs, and had been taken away, in those units. */
const readStat = async (): Promise<{ busy: number; softirq: number; stolen: number }> => {
  const [line = ''] = (await readFile('/proc/stat', 'latin1')).split('\n', 1)
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, stolen = 0] = line
    .split(/ +/)
    .slice(1)
    .map(Number)
  return { busy: user + nice + system + irq + softirq + stolen, softirq, stolen }
}

type Counted = { packets: number; rx_ns: number; recursion: number }

/** Counts the packets of as many requests as saturate the machine for a while; `witness` is read before and after. */
const countSaturated = async <Reading>(t: Context, requests: number, witness: () => Promise<Reading>) => {
  const netns = await createNetns(t)
  const service = await startMemcached(t, [], { netns })
  const program = rootPath('dist/test/kernel/fixtures/packet-counter.js')
  const toggle = await startAnswering<Counted>(t, program, [service.port, netns])
  const readings = [await witness()]
  await toggle('open')
  readings.push(await witness())
  const { seconds } = await runLoad(t, { port: service.port, requests, connections: 8 }, netns)
  readings.push(await witness())
  const counted = await toggle('close')
  readings.push(await witness())
  return { counted, readings, seconds }
}

kernelTest(
  'counts the packets that softnet_stat counts',
  async t => {
    const requests = 200_000
    const { counted, readings } = await countSaturated(t, requests, countPackets)
    const [before = 0, opened = 0, closing = 0, closed = 0] = readings
    t.log(`${counted.packets} packets, ${closing - opened} to ${closed - before} by softnet_stat`)
    t.is(counted.recursion, 0)
    t.true(counted.packets >= 2 * requests)
    // Where nobody else received anything just when the window was opened and closed, these are one and the same number.
    t.true(counted.packets >= closing - opened)
    t.true(counted.packets <= closed - before)
  },
  ...['memcached', 'ip'],
)

/** Others look after timers and the scheduler. None of their runs takes longer than to receive so many packets. */
const AS_LONG_AS = 2

kernelTest(
  'finds the time in softirqs that /proc/stat finds while they are busy all the time',
  async t => {
    const { counted, readings, seconds } = await countSaturated(t, 1_500_000, async () => ({
      ...(await readStat()),
      ...(await countSoftirqs()),
    }))
    const [, from, to] = readings
    if (from === undefined || to === undefined) throw new Error('nothing was read')
    const grown = (name: keyof typeof from): number => to[name] - from[name]
    const ticks = grown('softirq')
    const share = ticks / grown('busy')
    // The kernel looks at every timer interrupt, of which there is one in such a unit at least, whether a softirq is what
    // it has interrupted: a binomial sample, which is off by four standard deviations once in ten thousand runs.
    const sampling = (4 * Math.sqrt(ticks * (1 - share))) / ticks
    const others = (AS_LONG_AS * grown('others')) / grown('receive')
    const stolen = grown('stolen') / grown('busy')
    const ratio = counted.rx_ns / (ticks * TICK_NS)
    t.log(
      `${(counted.rx_ns / 1e9).toFixed(2)} s of ${seconds.toFixed(1)} s on ${cpus().length} CPUs, ${ratio.toFixed(3)} of /proc/stat's; ` +
        `sampling ${sampling.toFixed(3)}, others ${others.toFixed(3)}, stolen ${stolen.toFixed(3)}`,
    )
    assertNear(t, ratio, 1, sampling + others + stolen, "the probes' time beside /proc/stat's")
  },
  ...['memcached', 'ip'],
)
