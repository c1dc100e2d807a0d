import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { MeasureDocument } from '../../src/latency/document.js'
import { assertExact, spreadMean } from './support/assertions.js'
import { openConnection } from './support/client.js'
import { assertNoFaults } from './support/comparison.js'
import { createQuestion, startForwarder, startNameServer } from './support/datagrams.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { readFamilyRunDelay } from './support/scheduler.js'
import {
  readCommandStats,
  readStat,
  startMemcached,
  startProxy,
  startRedis,
  startTimedServer,
} from './support/services.js'
import { startMeasuring } from './support/taut.js'

/**
 * What taut says of some requests; in microseconds, how long the service was at each by its own clock, and how long it was
 * ready and had to wait for a CPU, by the scheduler's.
 */
type Witnessed = { document: MeasureDocument; ownUs: number; waitedUs: number }

/** What lies between the end of recv and the beginning of send, on a CPU and off it. */
const appUs = ({ document }: Witnessed): number =>
  spreadMean(document, 'app_cpu') + spreadMean(document, 'app_wait')

const OF_ITS_OWN_CLOCK = 0.03

type Place = 'app_cpu' | 'app_wait'

/** Where the two disagree; nothing, when they don't. */
const findFaults = ({ quick, slow }: Pair, stage: Place, clockUs: number): string[] => {
  const own = slow.ownUs - quick.ownUs
  const found = appUs(slow) - appUs(quick)
  const moved = spreadMean(slow.document, stage) - spreadMean(quick.document, stage)
  // Its clock goes on while it is preempted, which is no computing.
  const inStage = stage === 'app_cpu' ? own - (slow.waitedUs - quick.waitedUs) : own
  return [
    ...(Math.abs(found - own) <= own * OF_ITS_OWN_CLOCK + 2 * clockUs
      ? []
      : [`${found} µs instead of ${own}`]),
    ...(moved > inStage * 0.9 ? [] : [`only ${moved} of ${inStage} µs in ${stage}`]),
  ]
}

const describe = (run: Witnessed): string => {
  const [cpu, wait] = [spreadMean(run.document, 'app_cpu'), spreadMean(run.document, 'app_wait')]
  return `${cpu.toFixed(1)} + ${wait.toFixed(1)} µs beside its own ${run.ownUs.toFixed(1)} µs`
}

/** Requests that do not take long, and ones that do. */
type Pair = { quick: Witnessed; slow: Witnessed }

/**
 * Asserts that the time from recv to send is what the service's own clock says: of requests that take long and of ones that
 * do not the difference, for a service also parses and writes outside of what it times itself. `clockUs` is what its
 * clock leaves open of a mean.
 *
 * Other programs take CPUs away, and then from what the service does not time as well.
 */
const assertAgree = (
  t: Context,
  measureQuick: () => Promise<Witnessed>,
  measureSlow: () => Promise<Witnessed>,
  stage: Place,
  clockUs: number,
): Promise<void> =>
  assertNoFaults(t, async () => {
    const quick = await measureQuick()
    const slow = await measureSlow()
    const waited = Math.max(quick.waitedUs, slow.waitedUs)
    const said = `${describe(quick)}; ${describe(slow)}; waited for a CPU for up to ${waited.toFixed(1)} µs`
    t.log(said)
    for (const run of [quick, slow]) {
      t.true(appUs(run) >= run.ownUs - clockUs, `what a service times lies between recv and send: ${said}`)
    }
    const isDisturbed = waited > ((slow.ownUs - quick.ownUs) * OF_ITS_OWN_CLOCK) / 2
    return { faults: findFaults({ quick, slow }, stage, clockUs), disturbance: isDisturbed ? said : null }
  })

const REDIS_REQUESTS = 300
/** It reads a clock of whole microseconds before and after: a difference is off by less than one. */
const REDIS_CLOCK_US = 1

/** Sends Redis the command so many times, each when the one before is answered; the words are its arguments. */
const measureRedis = async (
  t: Context,
  command: string,
  ...words: (string | number)[]
): Promise<Witnessed> => {
  const service = await startRedis(t, ['--enable-debug-command', 'yes'])
  const measurement = await startMeasuring(t, '--port', service.port)
  const socket = await openConnection(t, service)
  const parts = [command, ...words].map(word => `$${String(word).length}\r\n${word}\r\n`)
  for (let request = 0; request < REDIS_REQUESTS; request++) {
    socket.write(`*${parts.length}\r\n${parts.join('')}`)
    const [reply] = await once(socket, 'data')
    t.regex(String(reply), /^[+:].*\r\n$/)
  }
  socket.end()
  await once(socket.resume(), 'end')
  const waitedUs = (await readFamilyRunDelay(service.pid)) / 1000 / REDIS_REQUESTS
  const document = await measurement.stop()
  assertExact(t, document, REDIS_REQUESTS)
  const { calls, usec } = await readCommandStats(service, command.toLowerCase())
  t.is(calls, REDIS_REQUESTS)
  return { document, ownUs: usec / calls, waitedUs }
}

kernelTest(
  'finds what Redis says that its commands took, computing',
  async t => {
    const script = 'local sum = 0 for i = 1, tonumber(ARGV[1]) do sum = sum + i end return 1'
    const measure = (turns: number) => measureRedis(t, 'EVAL', script, 0, turns)
    await assertAgree(
      t,
      () => measure(0),
      () => measure(200_000),
      'app_cpu',
      REDIS_CLOCK_US,
    )
  },
  'redis-server',
)

kernelTest(
  'finds what Redis says that its commands took, asleep',
  async t => {
    const measure = (seconds: number) => measureRedis(t, 'DEBUG', 'SLEEP', seconds)
    await assertAgree(
      t,
      () => measure(0),
      () => measure(0.002),
      'app_wait',
      REDIS_CLOCK_US,
    )
  },
  'redis-server',
)

const NGINX_REQUESTS = 500
/** At this rate requests come at every point of a millisecond alike. */
const NGINX_RATE = 137
/**
 * It looks at its clock, of whole milliseconds, when it is told of the request and when of the upstream's answer. Each is too
 * early by half of one with a standard deviation of 1/√12, so the difference of both is off by 1/√6; the mean of all
 * requests by a √N-th of that, and by more than five times as much once in a million runs.
 */
const NGINX_CLOCK_US = (5 * 1000) / Math.sqrt(6 * NGINX_REQUESTS)

const measureNginx = async (t: Context, delayUs: number): Promise<Witnessed> => {
  const service = await startProxy(t, await startTimedServer(t, 'app_wait', delayUs))
  const measurement = await startMeasuring(t, '--port', service.port)
  const load = { protocol: 'http', requests: NGINX_REQUESTS, rate: NGINX_RATE, connections: 4 } as const
  await runLoad(t, { port: service.port, ...load })
  const logged = await service.readLog(NGINX_REQUESTS)
  const waitedUs = (await readFamilyRunDelay(service.pid)) / 1000 / NGINX_REQUESTS
  const document = await measurement.stop()
  assertExact(t, document, NGINX_REQUESTS)
  t.is(logged.length, NGINX_REQUESTS)
  // In whole milliseconds, as the log is.
  const [begin, end] = [
    Date.parse(document.started_at),
    Date.parse(document.started_at) + document.seconds * 1000,
  ]
  t.true(logged.every(({ at }) => at * 1000 >= Math.floor(begin) && at * 1000 <= end))
  const sum = logged.reduce((total, { seconds }) => total + seconds, 0)
  return { document, ownUs: (sum / NGINX_REQUESTS) * 1e6, waitedUs }
}

kernelTest(
  "finds what nginx's log says that requests took, with a slow upstream",
  async t =>
    assertAgree(
      t,
      () => measureNginx(t, 0),
      () => measureNginx(t, 10_000),
      'app_wait',
      NGINX_CLOCK_US,
    ),
  'nginx',
)

const NODE_REQUESTS = 300

const measureNode = async (t: Context, place: Place, delayUs: number): Promise<Witnessed> => {
  const service = await startTimedServer(t, place, delayUs)
  const measurement = await startMeasuring(t, '--port', service.port)
  await runLoad(t, { port: service.port, protocol: 'http', requests: NODE_REQUESTS, rate: 100 })
  const waitedUs = (await readFamilyRunDelay(service.pid)) / 1000 / NODE_REQUESTS
  const document = await measurement.stop()
  assertExact(t, document, NODE_REQUESTS)
  const { requests, own_us } = await service.finish()
  t.is(requests, NODE_REQUESTS)
  return { document, ownUs: own_us / requests, waitedUs }
}

for (const place of ['app_cpu', 'app_wait'] as const) {
  kernelTest(`finds what a handler of Node's says that it took, in ${place}`, async t =>
    // Its clock counts nanoseconds.
    assertAgree(
      t,
      () => measureNode(t, place, 0),
      () => measureNode(t, place, 4000),
      place,
      0,
    ),
  )
}

const DNS_REQUESTS = 300
/** Its log has microseconds. */
const DNS_CLOCK_US = 1

/** Asks for so many names, one after the other: unbound knows none of them yet. */
const measureUnbound = async (t: Context, delayMs: number): Promise<Witnessed> => {
  const service = await startForwarder(t, await startNameServer(t, delayMs))
  const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  for (let number = 0; number < DNS_REQUESTS; number++) {
    socket.send(createQuestion(number), service.port, service.host)
    const [answer] = await once(socket, 'message')
    t.is(answer.readUInt16BE(0), number)
  }
  const times = await service.readTimes(DNS_REQUESTS)
  const waitedUs = (await readFamilyRunDelay(service.pid)) / 1000 / DNS_REQUESTS
  const document = await measurement.stop()
  assertExact(t, document, DNS_REQUESTS)
  t.is(times.length, DNS_REQUESTS)
  const ownUs = (times.reduce((sum, seconds) => sum + seconds, 0) / DNS_REQUESTS) * 1e6
  return { document, ownUs, waitedUs }
}

kernelTest(
  "finds what unbound's log says that replies took, with a slow name server",
  async t =>
    assertAgree(
      t,
      () => measureUnbound(t, 0),
      () => measureUnbound(t, 5),
      'app_wait',
      DNS_CLOCK_US,
    ),
  'unbound',
)

const GETS = 20_000

kernelTest(
  'finds no more time on a CPU than memcached says that it had, and as many GETs',
  async t => {
    const service = await startMemcached(t, ['-t', 1])
    const readUsage = async (): Promise<number> =>
      1e6 * ((await readStat(service, 'rusage_user')) + (await readStat(service, 'rusage_system')))
    const [gets, usage] = [await readStat(service, 'cmd_get'), await readUsage()]
    const measurement = await startMeasuring(t, '--port', service.port)
    await runLoad(t, { port: service.port, requests: GETS, rate: 10_000, connections: 8 })
    const document = await measurement.stop()
    const ownUs = ((await readUsage()) - usage) / GETS
    assertExact(t, document, GETS)
    t.is((await readStat(service, 'cmd_get')) - gets, GETS)
    const stages = (['recv', 'app_cpu', 'send'] as const).map(name => spreadMean(document, name))
    const onCpu = stages.reduce((sum, us) => sum + us, 0)
    t.log(
      `${onCpu.toFixed(2)} µs a request in recv, app_cpu and send, and ${ownUs.toFixed(2)} by memcached's own account`,
    )
    t.true(onCpu <= ownUs)
  },
  'memcached',
)
