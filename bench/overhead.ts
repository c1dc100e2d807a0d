import { parseArgs } from 'node:util'
import { Session } from '../src/probes/session.js'
import { listServices } from '../src/system/services.js'
import { resolveTarget } from '../src/system/target.js'
import { createUsageMeter, type Usage } from '../src/system/usage.js'
import { type EmptyProbes, type ProbeCost, prepareEmptyProbes, timeProbes } from './attached.js'
import { judge } from './limits.js'
import { type Load, type RunningTaut, runLoad, startMemcached, startTaut, stopTauts } from './processes.js'
import { estimateRatio, type Interval } from './ratio.js'

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '100' },
    connections: { type: 'string', default: '8' },
    json: { type: 'boolean', default: false },
  },
})

const LOAD = ['--connections', values.connections]
/** Short, and close to what they are compared with: a machine's disturbances last for seconds. */
const SLICE = ['--seconds', '0.5']
/** Long enough that what is done once a minute, and what JavaScript compiles in the beginning, count as little as they do. */
const AGENT_SECONDS = 60
/**
 * Probes on demand settle: a measurement that runs is compared. The load runs as long before every slice, with and
 * without: a machine that has rested is faster than one at work.
 */
const SETTLE_SECONDS = 0.5
const REFRESH_MS = 1000

type Pair = { on: number; off: number }

const memcached = await startMemcached()

const settle = (): Promise<Load> => runLoad(memcached.port, ...LOAD, '--seconds', String(SETTLE_SECONDS))

const startSettledTaut = async (): Promise<RunningTaut> => {
  const taut = await startTaut(memcached.port)
  // JavaScript that has just started compiles itself.
  await runLoad(memcached.port, ...LOAD, '--seconds', '3')
  return taut
}

/**
 * Measures as `taut measure` does, in this process, where it starts at once. `stop` gives how many requests it has
 * counted since.
 */
const startSession = async (): Promise<{ stop: () => Promise<number> }> => {
  const [target] = resolveTarget({ port: memcached.port }, await listServices())
  if (target === undefined) throw new Error('memcached is not there')
  const session = await Session.start(target, { kind: 'tp_btf' })
  // What this service does not need is let go here, and the overheads are sampled, which is done once a minute in the long run.
  const refreshTwice = async (): Promise<void> => {
    await session.refresh()
    await session.refresh()
  }
  const [{ requests }] = await Promise.all([settle(), refreshTwice()])
  let refresh = Promise.resolve()
  const timer = setInterval(() => {
    refresh = refresh.then(() => session.refresh())
  }, REFRESH_MS)
  const stop = async (): Promise<number> => {
    clearInterval(timer)
    await refresh
    const document = await session.stop()
    session.close()
    return document.requests - requests
  }
  return { stop }
}

/** One block of off, on, on, off, so that a drift of the machine falls on both alike, and what the load says of it. */
const runBlock = async (
  on: () => Promise<() => Promise<void>>,
  slice: string[],
): Promise<{ on: Load; off: Load }[]> => {
  const load = (): Promise<Load> => runLoad(memcached.port, ...LOAD, ...slice)
  await settle()
  const offBefore = await load()
  const end = await on()
  const first = await load()
  const second = await load()
  await end()
  await settle()
  const offAfter = await load()
  return [
    { on: first, off: offBefore },
    { on: second, off: offAfter },
  ]
}

const runTautBlock = async (slice: string[]): Promise<{ on: Load; off: Load }[]> => {
  let counted = 0
  const pairs = await runBlock(async () => {
    const session = await startSession()
    return async () => {
      counted = await session.stop()
    }
  }, slice)
  // A ratio of unlike work would prove nothing: taut must have seen all of it.
  const sent = pairs.reduce((sum, { on }) => sum + on.requests, 0)
  if (counted !== sent) throw new Error(`taut counted ${counted} requests of ${sent}`)
  return pairs
}

const showProgress = (done: number, of: number): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${of} pairs${done >= of ? '\r\x1b[K' : ''}`)
}

/** What each probe of a settled taut takes, for a request and for a run. */
const timeSettledProbes = async (): Promise<ProbeCost[]> => {
  let requests = 0
  const probes = await timeProbes(async () => {
    requests = (await runLoad(memcached.port, ...LOAD, ...SLICE)).requests
  })
  return probes.map(probe => ({ ...probe, runs: probe.runs / requests, ns: probe.ns / probe.runs }))
}

/** Taut beside none, and the same tracepoints with empty handlers beside none, in turns. */
type Compared = { taut: Interval; empty: Interval }

const compare = async (
  count: number,
  empty: EmptyProbes,
  slice: string[],
  read: (load: Load) => number,
): Promise<Compared> => {
  const pairs: { taut: Pair[]; empty: Pair[] } = { taut: [], empty: [] }
  const readAll = (blocks: { on: Load; off: Load }[]): Pair[] =>
    blocks.map(({ on, off }) => ({ on: read(on), off: read(off) }))
  while (pairs.taut.length < count) {
    pairs.taut.push(...readAll(await runTautBlock(slice)))
    const attach = async () => {
      const links = empty.attach()
      await settle()
      return async () => links[Symbol.dispose]()
    }
    pairs.empty.push(...readAll(await runBlock(attach, slice)))
    showProgress(pairs.taut.length, count)
  }
  return { taut: estimateRatio(pairs.taut), empty: estimateRatio(pairs.empty) }
}

/** The throughput at full speed, and the 99th percentile, by the client's clock, at half of what the service can do. */
const compareAll = async (
  count: number,
): Promise<{ throughput: Compared; halfLoad: Compared; probes: ProbeCost[] }> => {
  const settled = await startSettledTaut()
  const empty = prepareEmptyProbes()
  const probes = await timeSettledProbes()
  await settled.stop()
  const throughput = await compare(count, empty, SLICE, ({ rate }) => rate)
  const { rate } = await runLoad(memcached.port, ...LOAD, ...SLICE)
  const half = [...SLICE, '--rate', String(Math.round(rate / 2))]
  const halfLoad = await compare(count, empty, half, ({ p99_us }) => p99_us)
  empty.close()
  return { throughput, halfLoad, probes }
}

/** What the agent takes at one refresh a second under a steady load, by the kernel's account of its process. */
const watchAgent = async (): Promise<Usage | null> => {
  const taut = await startSettledTaut()
  const readUsage = createUsageMeter()
  await readUsage([taut.pid])
  await runLoad(memcached.port, ...LOAD, '--rate', '5000', '--seconds', String(AGENT_SECONDS))
  const usage = await readUsage([taut.pid])
  await taut.stop()
  return usage
}

const formatInterval = ({ estimate, low, high, pairs }: Interval): string =>
  `${estimate.toFixed(3)} (95 % ${low.toFixed(3)} to ${high.toFixed(3)}, ${pairs} pairs)`

const formatProbe = ({ program, point, runs, ns }: ProbeCost): string =>
  `  ${program.padEnd(20)} ${point.padEnd(26)} ${runs.toFixed(2).padStart(6)} ${(runs === 0 ? '-' : ns.toFixed(0)).padStart(6)}`

/** By the kernel's account, which its own timing is part of. */
const sumProbes = (probes: readonly ProbeCost[]): number =>
  probes.reduce((sum, { runs, ns }) => sum + (runs === 0 ? 0 : runs * ns), 0)

type Found = { found: number; low: number; high: number }

/** What taut costs as a multiple of what being called does; the bounds are those of both intervals taken together. */
const compareCosts = (taut: Interval, empty: Interval): Found => ({
  found: (1 - taut.estimate) / (1 - empty.estimate),
  low: (1 - taut.high) / (1 - empty.low),
  high: empty.high < 1 ? (1 - taut.low) / (1 - empty.high) : Number.POSITIVE_INFINITY,
})

const boundsOf = ({ estimate, low, high }: Interval): Found => ({ found: estimate, low, high })

/** What measuring may cost at most. */
const judgeAll = ({ taut, empty }: Compared, halfLoad: Interval, agent: Usage | null) =>
  [
    { what: 'throughput', ...boundsOf(taut), atLeast: 0.9 },
    { what: 'throughput', ...boundsOf(taut), atLeast: 0.95 },
    { what: 'times what being called costs', ...compareCosts(taut, empty), atMost: 1.3 },
    { what: 'p99 at half load', ...boundsOf(halfLoad), atMost: 1.02 },
    { what: '% of a core for taut itself', found: agent?.cpuPercent ?? Number.NaN, atMost: 1 },
    { what: 'MB for taut itself', found: (agent?.rssBytes ?? Number.NaN) / 1e6, atMost: 100 },
  ].map(judge)

try {
  const pairs = Number(values.pairs)
  const { throughput, halfLoad, probes } = await compareAll(pairs)
  const { taut, empty } = throughput
  const agent = await watchAgent()
  const bpfNs = sumProbes(probes)
  const limits = judgeAll(throughput, halfLoad.taut, agent)
  if (values.json) {
    process.stdout.write(
      `${JSON.stringify({ throughput, half_load_p99: halfLoad, probes, bpf_ns_per_request: bpfNs, agent, limits })}\n`,
    )
  } else {
    process.stdout.write(
      [
        `throughput of saturated memcached, taut measuring / not: ${formatInterval(taut)}`,
        `the same tracepoints with empty handlers / without:      ${formatInterval(empty)}`,
        `  so taut costs ${compareCosts(taut, empty).found.toFixed(2)} times what being called costs`,
        `p99 at half load, taut measuring / not: ${formatInterval(halfLoad.taut)}`,
        `  empty handlers / without:              ${formatInterval(halfLoad.empty)}`,
        `taut itself at one refresh a second: ${agent?.cpuPercent?.toFixed(2)} % of a core, ${((agent?.rssBytes ?? 0) / 1e6).toFixed(0)} MB`,
        'each probe, timed by the kernel, which adds to it:        runs a request, ns a run',
        ...probes.map(formatProbe),
        `all of them together: ${bpfNs.toFixed(0)} ns a request`,
        'limits:',
        ...limits.map(({ text }) => `  ${text}`),
        '',
      ].join('\n'),
    )
  }
  // What is surely missed is not to be overlooked.
  if (limits.some(({ isMet, isSure }) => !isMet && isSure)) process.exitCode = 1
} finally {
  stopTauts()
  memcached.stop()
}
