import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createUsageMeter, type Usage } from '../src/system/usage.js'
import { type RunningTaut, runLoad, startMemcached, startTaut } from './processes.js'
import { estimateRatio, type Interval } from './ratio.js'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '40' },
    json: { type: 'boolean', default: false },
  },
})

const LOAD = ['--connections', '8']
const SLICE = ['--seconds', '1']
const AGENT_SECONDS = 20
/** JavaScript that has just started compiles itself: a measurement that runs is what is compared. */
const SETTLE_MS = 3000

const startSettledTaut = async (port: number): Promise<RunningTaut> => {
  const taut = await startTaut(port)
  await setTimeout(SETTLE_MS)
  return taut
}

/** Slices of load at full speed in blocks of off, on, on, off, so that a drift of the machine falls on both alike. */
const comparePairs = async (port: number, count: number) => {
  const pairs: { on: number; off: number }[] = []
  const bpfNs: number[] = []
  await runLoad(port, ...LOAD, ...SLICE)
  while (pairs.length < count) {
    const offBefore = await runLoad(port, ...LOAD, ...SLICE)
    const taut = await startSettledTaut(port)
    const on = [await runLoad(port, ...LOAD, ...SLICE), await runLoad(port, ...LOAD, ...SLICE)] as const
    const measured = await taut.stop()
    const offAfter = await runLoad(port, ...LOAD, ...SLICE)
    // A ratio of unlike work would prove nothing: taut must have seen all of it.
    if (measured.requests !== on[0].requests + on[1].requests) {
      throw new Error(`taut counted ${measured.requests} requests of ${on[0].requests + on[1].requests}`)
    }
    pairs.push({ on: on[0].rate, off: offBefore.rate }, { on: on[1].rate, off: offAfter.rate })
    if (measured.cost.bpf_ns_per_request !== null) bpfNs.push(measured.cost.bpf_ns_per_request)
    if (process.stderr.isTTY) process.stderr.write(`\r${pairs.length} of ${count} pairs`)
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  return { throughput: estimateRatio(pairs), bpfNs: median(bpfNs) }
}

/** What the agent takes at one refresh a second under a steady load, by the kernel's account of its process. */
const watchAgent = async (port: number): Promise<Usage | null> => {
  const taut = await startSettledTaut(port)
  const readUsage = createUsageMeter()
  await readUsage([taut.pid])
  await runLoad(port, ...LOAD, '--rate', '5000', '--seconds', String(AGENT_SECONDS))
  const usage = await readUsage([taut.pid])
  await taut.stop()
  return usage
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

const formatInterval = ({ estimate, low, high, pairs }: Interval): string =>
  `${estimate.toFixed(3)} (95 % ${low.toFixed(3)} to ${high.toFixed(3)}, ${pairs} pairs)`

const memcached = await startMemcached()
try {
  const { throughput, bpfNs } = await comparePairs(memcached.port, Number(values.pairs))
  const agent = await watchAgent(memcached.port)
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ throughput, bpf_ns_per_request: bpfNs, agent })}\n`)
  } else {
    process.stdout.write(
      [
        `throughput of saturated memcached, taut measuring / not: ${formatInterval(throughput)}`,
        `BPF programs: ${Math.round(bpfNs)} ns a request, timing them included`,
        `taut itself at one refresh a second: ${agent?.cpuPercent.toFixed(2)} % of a core, ${((agent?.rssBytes ?? 0) / 1e6).toFixed(0)} MB`,
        '',
      ].join('\n'),
    )
  }
} finally {
  memcached.stop()
}
