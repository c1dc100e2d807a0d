import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { runLoad, startMemcached, startTaut } from './processes.js'
import { estimateRatio, type Interval } from './ratio.js'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '30' },
    json: { type: 'boolean', default: false },
  },
})

const LOAD = ['--connections', '8']
const SLICE = ['--seconds', '1']
const AGENT_SECONDS = 15

/** One slice of load at full speed, with taut measuring or without. */
const runSlice = async (port: number, isTraced: boolean) => {
  const taut = isTraced ? await startTaut(port) : null
  const load = await runLoad(port, ...LOAD, ...SLICE)
  return { load, measured: await taut?.stop() }
}

const comparePairs = async (port: number, count: number) => {
  const pairs: { on: number; off: number }[] = []
  const bpfNs: number[] = []
  await runLoad(port, ...LOAD, ...SLICE)
  for (let index = 0; index < count; index++) {
    const isOnFirst = Math.random() < 0.5
    const first = await runSlice(port, isOnFirst)
    const second = await runSlice(port, !isOnFirst)
    const [on, off] = isOnFirst ? [first, second] : [second, first]
    const { measured } = on
    // A ratio of unlike work would prove nothing: both sides must have done all that was asked.
    if (measured?.requests !== on.load.requests) {
      throw new Error(`taut counted ${measured?.requests} requests of ${on.load.requests}`)
    }
    pairs.push({ on: on.load.rate, off: off.load.rate })
    if (measured.cost.bpf_ns_per_request !== null) bpfNs.push(measured.cost.bpf_ns_per_request)
    if (!values.json) process.stderr.write(`\rpair ${index + 1} of ${count}`)
  }
  if (!values.json) process.stderr.write('\r\x1b[K')
  return { throughput: estimateRatio(pairs), bpfNs: median(bpfNs) }
}

/** What the agent takes at one refresh a second, under a steady load. */
const watchAgent = async (port: number) => {
  const taut = await startTaut(port)
  // The start itself, mostly loading JavaScript, is over before the first refresh.
  await setTimeout(1000)
  const load = runLoad(port, ...LOAD, '--rate', '5000', '--seconds', String(AGENT_SECONDS))
  await load
  const { cost } = await taut.stop()
  return { cpuPercent: cost.agent_cpu_percent, rssBytes: cost.agent_rss_bytes }
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
        `taut itself at one refresh a second: ${agent.cpuPercent?.toFixed(2)} % of a core, ${((agent.rssBytes ?? 0) / 1e6).toFixed(0)} MB`,
        '',
      ].join('\n'),
    )
  }
} finally {
  memcached.stop()
}
