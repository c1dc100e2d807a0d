import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { isInTotal, STAGES, type StageName } from '../../src/latency/stages.js'
import { assertExact, OF_A_BUCKET, spreadMean } from './support/assertions.js'
import { assertNoFaults, findFar } from './support/comparison.js'
import {
  MESSAGES,
  measureAnswers,
  prepareQuestions,
  type Questions,
  SHALLOW,
  startEcho,
  startUdpMemcached,
  startUnbound,
} from './support/datagrams.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { createNetns, createNetnsPair, type NetnsPair } from './support/netns.js'
import { startAnswering } from './support/processes.js'
import { listCpus, readTaken } from './support/scheduler.js'
import { readStat } from './support/services.js'
import { runTaut, startMeasuring } from './support/taut.js'

const run = promisify(execFile)

const REQUESTS = 20_000

for (const [route, host, window] of [
  ['loopback over IPv4', '127.0.0.1', 1],
  ['loopback over IPv6', '::1', 1],
  ['loopback, several of each peer unanswered', '127.0.0.1', 4],
] as const) {
  kernelTest(
    `counts each datagram that was answered: ${route}`,
    async t => {
      const netns = await createNetns(t)
      const service = await startEcho(t, { host, netns })
      await measureAnswers(t, service, { message: MESSAGES.echo, requests: REQUESTS, window })
      t.is((await service.finish()).requests, REQUESTS)
    },
    'ip',
  )
}

for (const family of ['ipv4', 'ipv6'] as const) {
  kernelTest(
    `counts each datagram that was answered: a veth pair over ${family}, many peers`,
    async t => {
      const pair = await createNetnsPair(t)
      const service = await startEcho(t, { host: pair[family], netns: pair.server })
      const questions = { message: MESSAGES.echo, requests: REQUESTS, peers: 100 }
      await measureAnswers(t, service, questions, pair.client)
      t.is((await service.finish()).requests, REQUESTS)
    },
    'ip',
  )
}

for (const [family, version] of [
  ['ipv4', 'IPv4'],
  ['ipv6', 'IPv6'],
] as const) {
  kernelTest(
    `counts answers that are larger than a packet of ${version}`,
    async t => {
      const pair = await createNetnsPair(t)
      const service = await startEcho(t, { host: pair[family], netns: pair.server })
      const questions = { message: MESSAGES.large, requests: 2000 }
      await measureAnswers(t, service, questions, pair.client)
      t.is((await service.finish()).requests, questions.requests)
    },
    'ip',
  )
}

kernelTest(
  'takes a datagram in fragments for itself, shortly behind one of the same peer that came whole',
  async t => {
    const { server, client, ipv4 } = await createNetnsPair(t)
    const { port } = await startEcho(t, { host: ipv4, netns: server })
    const program = rootPath('dist/test/kernel/fixtures/numbering-client.js')
    const args = [ipv4, port, MESSAGES.echo]
    const ask = await startAnswering<{ answers: number; mean_us: number }>(t, program, args, {
      netns: client,
    })
    const measurement = await startMeasuring(t, '--port', `${port}/udp`, '--netns', server)
    const { answers, mean_us } = await ask('60 40 3000')
    const { requests, total } = await measurement.stop()
    t.deepEqual({ requests, answers }, { requests: 60, answers: 60 })
    t.true(
      (total.mean_us ?? Number.NaN) < mean_us,
      `${total.mean_us} us, and ${mean_us} us by the client's clock`,
    )
  },
  'ip',
)

/** Puts a bridge between the wire of the service and its address. */
const addBridge = async ({ server, ipv4 }: NetnsPair): Promise<void> => {
  const inServer = (...args: string[]) => run('ip', ['-n', server, ...args])
  await inServer('link', 'add', 'bridge', 'type', 'bridge')
  await inServer('addr', 'flush', 'dev', 'wire')
  await inServer('link', 'set', 'wire', 'master', 'bridge')
  await inServer('addr', 'add', `${ipv4}/24`, 'dev', 'bridge')
  await inServer('link', 'set', 'bridge', 'up')
}

for (const message of ['echo', 'large'] as const) {
  kernelTest(
    `counts once what a bridge hands up again: ${message}`,
    async t => {
      const pair = await createNetnsPair(t)
      await addBridge(pair)
      const service = await startEcho(t, { host: pair.ipv4, netns: pair.server })
      const questions = { message: MESSAGES[message], requests: 2000 }
      await measureAnswers(t, service, questions, pair.client)
      t.is((await service.finish()).requests, questions.requests)
    },
    'ip',
  )
}

const LATER_US = 100_000

for (const [what, peers, window] of [
  ['500 peers', 500, 1],
  ['5000 peers', 5000, 1],
  ['one peer, 60 of which are unanswered', 1, 60],
] as const) {
  kernelTest(
    `counts answers that come later, while others are read: ${what}`,
    async t => {
      const service = await startEcho(t, { place: 'later', delayUs: LATER_US })
      const questions = { message: MESSAGES.echo, requests: 2 * peers * window, peers, window }
      const { total, depth, requests } = await measureAnswers(t, service, questions)
      t.true((total.p50_us ?? 0) >= LATER_US * (1 - OF_A_BUCKET))
      t.true(depth.requests >= requests * (1 - SHALLOW))
    },
    'ip',
  )
}

for (const queue of [null, ['tbf', 'rate', '1gbit', 'burst', '16000', 'limit', '10mb']]) {
  kernelTest(
    `takes what a bridge passes on for no other answer, of a service that reads ahead, ${queue ? 'with' : 'without'} a queue below`,
    async t => {
      const pair = await createNetnsPair(t)
      await addBridge(pair)
      if (queue) await run('tc', ['-n', pair.server, 'qdisc', 'replace', 'dev', 'wire', 'root', ...queue])
      const service = await startEcho(t, {
        host: pair.ipv4,
        netns: pair.server,
        place: 'later',
        delayUs: LATER_US,
      })
      const questions = { message: MESSAGES.echo, requests: 600, peers: 1, window: 60, rate: 300 }
      const { total } = await measureAnswers(t, service, questions, pair.client)
      t.true((total.mean_us ?? 0) >= LATER_US, `${total.mean_us} us`)
    },
    'ip',
    'tc',
  )
}

kernelTest(
  'takes each answer for the one to its own datagram, when measuring begins amid them',
  async t => {
    const [cpu] = listCpus()
    const service = await startEcho(t, { cpu })
    const ask = await prepareQuestions(t, service, {
      message: MESSAGES.echo,
      requests: REQUESTS,
      peers: 1,
      rate: REQUESTS / 5,
      cpu,
    })
    const asking = ask()
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    const { mean_us } = await asking
    const { requests, unanswered, in_flight, lost, total } = await measurement.stop()
    t.true(requests > 0)
    t.deepEqual(
      { unanswered, in_flight, unmatched: lost.unmatched },
      { unanswered: 0, in_flight: 0, unmatched: 0 },
    )
    t.true(
      (total.mean_us ?? Number.NaN) < mean_us,
      `${total.mean_us} us, and ${mean_us} us by the client's clock`,
    )
  },
  'ip',
)

kernelTest(
  'counts answers that come later, of a peer that always has 60 unanswered: each has a read of its own to the end',
  async t => {
    const service = await startEcho(t, { place: 'later', delayUs: LATER_US / 10 })
    const questions = { message: MESSAGES.echo, requests: 30_000, peers: 1, window: 60 }
    const { depth, requests } = await measureAnswers(t, service, questions)
    t.is(depth.requests, requests)
  },
  'ip',
)

kernelTest(
  "counts as lost what a peer has waiting beyond the bound, and takes its answers for nobody else's",
  async t => {
    const service = await startEcho(t, { place: 'later', delayUs: LATER_US })
    const questions = { message: MESSAGES.echo, requests: 400, peers: 1, window: 200 }
    const ask = await prepareQuestions(t, service, questions)
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    await ask()
    const { requests, lost, in_flight, unanswered, total } = await measurement.stop()
    t.true(lost.map_full > 0)
    t.deepEqual(
      { all: requests + lost.map_full, in_flight, unanswered },
      { all: questions.requests, in_flight: 0, unanswered: 0 },
    )
    t.true((total.p50_us ?? 0) >= LATER_US * (1 - OF_A_BUCKET))
  },
  'ip',
)

for (const [where, cpu] of [
  ['', undefined],
  [', all on one CPU', 0],
] as const) {
  kernelTest(
    `counts slow answers among many quick ones, whose reads are not taken for theirs${where}`,
    async t => {
      const service = await startEcho(t, { place: 'later', delayUs: LATER_US, cpu })
      const [slow, quick] = [500, 20_000]
      const prepare = (questions: Questions) => prepareQuestions(t, service, { ...questions, cpu })
      const ask = await Promise.all([
        prepare({ message: MESSAGES.echo, requests: slow, peers: 100 }),
        prepare({ message: MESSAGES.quick, requests: quick, peers: 4, rate: 40_000 }),
      ])
      const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
      await Promise.all(ask.map(start => start()))
      const document = await measurement.stop()
      assertExact(t, document, slow + quick, { shallow: SHALLOW })
      const [, , , tail] = document.tail
      t.true((tail?.mean_us ?? 0) >= LATER_US)
    },
    'ip',
    'taskset',
  )
}

kernelTest(
  'tells the senders apart whose datagrams come by several CPUs at the same time',
  async t => {
    const service = await startEcho(t, { place: 'app_cpu' })
    const questions = { message: MESSAGES.echo, requests: 100_000, peers: 4, window: 8 }
    const ask = await Promise.all(listCpus().map(cpu => prepareQuestions(t, service, { ...questions, cpu })))
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    await Promise.all(ask.map(start => start()))
    const document = await measurement.stop()
    assertExact(t, { ...document, pipelined: 0 }, ask.length * questions.requests, { shallow: SHALLOW })
  },
  'ip',
  'taskset',
)

const DELAY_US = 2000

/** Measures a service that delays each answer; beside its own clock, what took CPUs away from it, in microseconds a request. */
const measureDelayed = async (t: Context, place: string, delayUs: number) => {
  const questions = { message: MESSAGES.echo, requests: 300, rate: 200, peers: 2 }
  const service = await startEcho(t, { place, delayUs })
  const before = await readTaken(service.pid)
  const document = await measureAnswers(t, service, questions)
  const disturbedUs = ((await readTaken(service.pid)) - before) / questions.requests / 1000
  return { document, disturbedUs, ownUs: (await service.finish()).delayed_ns / questions.requests / 1000 }
}

for (const place of ['app_cpu', 'app_wait'] as const) {
  kernelTest(
    `finds in ${place} what a service of datagrams does there`,
    t =>
      assertNoFaults(t, async () => {
        const base = await measureDelayed(t, place, 0)
        const delayed = await measureDelayed(t, place, DELAY_US)
        const own = delayed.ownUs - base.ownUs
        const moved = (name: StageName): number =>
          spreadMean(delayed.document, name) - spreadMean(base.document, name)
        const disturbedUs = Math.max(base.disturbedUs, delayed.disturbedUs)
        return {
          faults: [
            // Who computes may be made to wait by others; who sleeps does not compute.
            ...findFar('app', moved('app_cpu') + moved('app_wait'), own, 0.03 * own),
            ...(moved(place) > 0.9 * own ? [] : [`${place}: only ${moved(place)} of ${own}`]),
            ...STAGES.filter(stage => isInTotal(stage) && !stage.startsWith('app_')).flatMap(name =>
              findFar(name, moved(name), 0, 0.05 * own),
            ),
          ],
          disturbance: disturbedUs > DELAY_US * 0.02 ? `others took ${disturbedUs} us a request` : null,
        }
      }),
    'ip',
  )
}

kernelTest(
  'counts what memcached itself counts of its datagrams',
  async t => {
    const service = await startUdpMemcached(t)
    await measureAnswers(t, service, { message: MESSAGES.memcached, requests: REQUESTS })
    t.is(await readStat({ ...service, port: service.tcpPort }, 'cmd_get'), REQUESTS)
  },
  'memcached',
)

kernelTest(
  "counts what unbound's log says that it answered",
  async t => {
    const service = await startUnbound(t)
    const document = await measureAnswers(t, service, { message: MESSAGES.dns, requests: 2000, peers: 50 })
    t.is(await service.countReplies(), 2000)
    t.true(document.stages.some(({ name }) => name === 'app_cpu'))
  },
  'unbound',
)

kernelTest(
  'takes a port that only UDP has without being told so, and says what is not there',
  async t => {
    const service = await startEcho(t, {})
    const { code, stdout } = await runTaut(t, ['measure', '--port', service.port, '--for', '10ms', '--json'])
    t.is(code, 0)
    t.is(JSON.parse(stdout).target.protocol, 'udp')
    const missing = await runTaut(t, ['measure', '--port', `${service.port}/tcp`, '--for', '10ms'])
    t.is(missing.code, 1)
    t.regex(missing.stderr, /nothing listens on/)
    const wrong = await runTaut(t, ['measure', '--port', `${service.port}/sctp`])
    t.is(wrong.code, 2)
  },
  'ip',
)
