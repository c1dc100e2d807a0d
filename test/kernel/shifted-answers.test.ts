import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MESSAGES, startEcho, startUdpMemcached, type UdpService } from './support/datagrams.js'
import { watchDepartures } from './support/departures.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { createNetnsPair, type NetnsPair } from './support/netns.js'
import { startOwnProbes } from './support/own-probes.js'
import { startAnswering } from './support/processes.js'
import { listCpus } from './support/scheduler.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)

const [REQUESTS, BYTES, HEADERS] = [300, 1000, 42]
/** Far less than the client asks for. */
const [PACKETS_A_SECOND, INTERVAL_MS] = [50, 4]
/** So many wait in the queue when it is taken away. */
const WAITING = 40

/** Calls `tc` in the namespace of the service. */
type Tc = (...args: string[]) => Promise<{ stdout: string }>

const createTc =
  ({ server }: NetnsPair): Tc =>
  (...args) =>
    run('tc', ['-n', server, ...args])

/** Gives what sends so many datagrams, one every so many milliseconds, and gives how many answers came. */
const startClient = async (
  t: Context,
  { host, port }: UdpService,
  message: string,
  options: { netns?: string; cpu?: number | undefined } = {},
) => {
  const program = rootPath('dist/test/kernel/fixtures/numbering-client.js')
  const args = [host, port, message]
  const ask = await startAnswering<{ answers: number; mean_us: number }>(t, program, args, options)
  return (count: number, intervalMs: number) => ask(`${count} ${intervalMs}`)
}

/**
 * Lets so many bytes of answers wait in the queue of an interface; asserts that those which `drop` or the queue itself drops leave
 * their datagrams unanswered, and that the others are each taken for the answer to its own. Gives how many came to the client.
 */
const assertUnshifted = async (
  t: Context,
  limit: string,
  drop: (tc: Tc) => Promise<unknown>,
): Promise<number> => {
  const pair = await createNetnsPair(t)
  const tc = createTc(pair)
  const rate = `${8 * (BYTES + HEADERS) * PACKETS_A_SECOND}bit`
  const slow = ['tbf', 'rate', rate, 'burst', '3000', 'limit', limit]
  await tc('qdisc', 'replace', 'dev', 'wire', 'root', 'handle', '1:', ...slow)
  const service = await startEcho(t, { host: pair.ipv4, netns: pair.server })
  const ask = await startClient(t, service, 'ab'.repeat(BYTES), { netns: pair.client })
  const countUntold = await watchDepartures(t, pair.server, 'wire')
  const measurement = await startMeasuring(t, '--port', `${service.port}/udp`, '--netns', pair.server)
  const [{ answers, mean_us }] = await Promise.all([ask(REQUESTS, INTERVAL_MS), drop(tc)])
  const document = await measurement.stop()
  const untold = await countUntold()
  t.log(`${answers} answers; no probe was told of ${untold}`)
  t.true(document.requests <= answers && document.requests >= answers - untold, `${document.requests}`)
  t.is(document.requests + document.unanswered + document.in_flight, REQUESTS)
  t.is(document.lost.map_full, 0)
  const ofTotal = document.total.mean_us ?? 0
  // Of those that no probe was told of, some may have been quicker than others.
  t.true(
    ofTotal * document.requests < mean_us * answers,
    `${ofTotal} us, and ${mean_us} us by the client's clock`,
  )
  return answers
}

const SLOW = ['tbf', 'rate', '200kbit', 'burst', '3000', 'limit', '10mb']
const QUICK = ['tbf', 'rate', '1gbit', 'burst', '16000', 'limit', '10mb']

for (const [what, next] of [
  ['another queue', ['replace', 'dev', 'wire', 'root', 'handle', '2:', ...QUICK]],
  ['none', ['delete', 'dev', 'wire', 'root']],
] as const) {
  kernelTest(
    `answers that are dropped with the queue of their interface shift no other, when there is ${what} in its place`,
    async t => {
      const answers = await assertUnshifted(t, '10mb', async tc => {
        await waitFor('answers to wait in the queue', async () => {
          const { stdout } = await tc('-json', '-s', 'qdisc', 'show', 'dev', 'wire')
          // Some leave it before it is taken away, and the client may be held up meanwhile.
          return JSON.parse(stdout)[0].qlen >= 2 * WAITING || null
        })
        await tc('qdisc', ...next)
      })
      t.true(answers <= REQUESTS - WAITING, `${answers} answers`)
    },
    'ip',
    'tc',
  )
}

kernelTest(
  'answers that a full queue does not take shift no other',
  async t => {
    const answers = await assertUnshifted(t, `${10 * (BYTES + HEADERS)}`, async () => {})
    t.true(answers <= REQUESTS / 2, `${answers} answers`)
  },
  'ip',
  'tc',
)

/** Of one peer (bpf/datagrams.h). */
const [ROOM, MORE] = [128, 10]
/** After all have been sent, and before any is a second old. */
const LATER_US = 300_000

for (const [speed, queue] of [
  ['quick', QUICK],
  ['slow', SLOW],
] as const) {
  kernelTest(
    `a peer that has asked for more than there is room for is followed again when that is answered, by way of a ${speed} queue`,
    async t => {
      const pair = await createNetnsPair(t)
      await createTc(pair)('qdisc', 'replace', 'dev', 'wire', 'root', 'handle', '1:', ...queue)
      const service = await startEcho(t, {
        host: pair.ipv4,
        netns: pair.server,
        place: 'later',
        delayUs: LATER_US,
      })
      const ask = await startClient(t, service, MESSAGES.echo, { netns: pair.client })
      const countUntold = await watchDepartures(t, pair.server, 'wire')
      const measurement = await startMeasuring(t, '--port', `${service.port}/udp`, '--netns', pair.server)
      t.is((await ask(2 * ROOM + MORE, 0)).answers, 2 * ROOM + MORE)
      t.is((await ask(ROOM, 0)).answers, ROOM)
      t.is((await ask(REQUESTS, INTERVAL_MS)).answers, REQUESTS)
      const { requests, unanswered, in_flight, lost } = await measurement.stop()
      t.is(lost.map_full, ROOM + MORE)
      t.is(requests + unanswered + in_flight, 2 * ROOM + REQUESTS)
      const untold = await countUntold()
      t.true(unanswered + in_flight <= untold, `${unanswered} and ${in_flight}, ${untold} untold`)
    },
    'ip',
    'tc',
  )
}

/** It takes the second one and answers it while whoever has put that on the socket is held up. */
const [APP_US, HELD_US] = [60, 200]
/** Drops most of what the service sends at once. */
const FULL = ['tbf', 'rate', '200kbit', 'burst', '3000', 'limit', '500']

for (const [where, queue, count, counter] of [
  ['no queue', null, REQUESTS, 'early'],
  ['a quick queue', QUICK, REQUESTS, 'early'],
  ['a slow queue', SLOW, ROOM, 'waited'],
  ['a full queue', FULL, ROOM, 'early'],
] as const) {
  kernelTest(
    `answers that are sent before their datagrams are known to be on the socket shift no other, by way of ${where}`,
    async t => {
      const pair = await createNetnsPair(t)
      if (queue) await createTc(pair)('qdisc', 'replace', 'dev', 'wire', 'root', 'handle', '1:', ...queue)
      const [ofClient, ofService] = listCpus()
      const service = await startEcho(t, {
        host: pair.ipv4,
        netns: pair.server,
        delayUs: APP_US,
        cpu: ofService,
      })
      const ask = await startClient(t, service, MESSAGES.echo, { netns: pair.client, cpu: ofClient })
      const variables = { port: service.port, delay_us: HELD_US }
      const countEarly = await startOwnProbes(t, 'slow-arrivals', variables, counter)
      const countUntold = await watchDepartures(t, pair.server, 'wire')
      const measurement = await startMeasuring(t, '--port', `${service.port}/udp`, '--netns', pair.server)
      const { answers, mean_us } = await ask(count, 0)
      const { requests, unanswered, in_flight, total } = await measurement.stop()
      const [early, untold] = [await countEarly(), await countUntold()]
      const said = `${requests} of ${answers} answers, ${early} ${counter}, ${untold} untold, ${total.mean_us} us, ${mean_us} us by the client's clock`
      t.log(said)
      t.true(queue === FULL ? answers < 0.8 * count : answers === count, said)
      t.true(early > count / 10, said)
      t.is(requests + unanswered + in_flight, count)
      t.true(requests <= answers && requests >= answers - untold, said)
      // The client's clock also has how long it was busy sending. Had they ended when they were sent, hardly anything would be left.
      if (counter === 'waited') t.true((total.mean_us ?? 0) > mean_us / 4, said)
      t.true((total.mean_us ?? 0) < mean_us, said)
    },
    'ip',
    'tc',
  )
}

const [ROUNDS, AT_ONCE] = [100, 60]

kernelTest(
  'four threads that answer one peer at the same time answer each of its datagrams once',
  async t => {
    const service = await startUdpMemcached(t, 4)
    const ask = await startClient(t, service, MESSAGES.memcached)
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    for (let round = 0; round < ROUNDS; round++) t.is((await ask(AT_ONCE, 0)).answers, AT_ONCE)
    const { requests, unanswered, in_flight, lost } = await measurement.stop()
    t.deepEqual(
      { requests, unanswered, in_flight },
      { requests: ROUNDS * AT_ONCE, unanswered: 0, in_flight: 0 },
    )
    t.is(lost.map_full, 0)
  },
  'memcached',
)
