import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { assertAddsUp } from './support/assertions.js'
import {
  MESSAGES,
  prepareQuestions,
  type Questions,
  SHALLOW,
  sendFromEach,
  startEcho,
  type UdpService,
} from './support/datagrams.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { startMeasuring } from './support/taut.js'

/** As many peers are known at a time, and of each two datagrams that wait; of all together so many more (bpf/datagrams.h). */
const [PEERS, NEAR, FAR] = [8192, 2, 4096]
/** Of one peer. */
const WAITING = 128
/** Of these reads, later ones included, a datagram's own is found (bpf/reads.h). */
const READS = 8192 - 64
/** An older datagram is given up when a later one is answered, and an older peer when another one needs the room. */
const [ANSWER_MS, FORGET_MS] = [1000, 5000]

/** Sends so many datagrams, of which none is answered before all have been read; asserts how many of them are lost for it. */
const assertLoses = async (t: Context, questions: Questions, lost: number): Promise<void> => {
  const service = await startEcho(t, { place: 'after', delayUs: questions.requests })
  const ask = await prepareQuestions(t, service, questions)
  const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
  await ask()
  const document = await measurement.stop()
  t.deepEqual(document.lost, { ringbuf_full: 0, map_full: lost, unmatched: 0, clock: 0, recursion: 0 })
  t.deepEqual(
    { requests: document.requests, in_flight: document.in_flight, unanswered: document.unanswered },
    { requests: questions.requests - lost, in_flight: 0, unanswered: 0 },
  )
  // The first answers leave when all have been read, and their own reads may be forgotten by then.
  const deep = document.requests - Math.max(0, questions.requests - READS)
  t.true(document.depth.requests >= deep * (1 - SHALLOW), `${document.depth.requests} in depth`)
  assertAddsUp(t, document)
}

kernelTest(
  `of ${PEERS} peers and 500 more that wait at once those are lost that come last, each once`,
  t => assertLoses(t, { message: MESSAGES.echo, requests: PEERS + 500, peers: PEERS + 500 }, 500),
  'ip',
)

kernelTest(
  `of 72 more than ${WAITING} datagrams of one peer that wait at once those are lost that come last, each once`,
  t => assertLoses(t, { message: MESSAGES.echo, requests: WAITING + 72, peers: 1, window: WAITING + 72 }, 72),
  'ip',
)

const [CROWD, EACH] = [750, 8]

kernelTest(
  `of the datagrams of ${CROWD} peers with ${EACH} each those are lost that neither peers nor all together have room for`,
  t => {
    const requests = CROWD * EACH
    const questions = { message: MESSAGES.echo, requests, peers: CROWD, window: EACH }
    return assertLoses(t, questions, requests - CROWD * NEAR - FAR)
  },
  'ip',
)

kernelTest(
  'a peer that nobody answers gives up its room after five seconds, and its datagram is unanswered',
  async t => {
    const service = await startEcho(t, { place: 'later' })
    const [early, late] = [30, 40]
    const prepare = (peers: number) =>
      prepareQuestions(t, service, { message: MESSAGES.quick, requests: peers, peers })
    const [askEarly, askLate] = [await prepare(early), await prepare(late)]
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    await sendFromEach(t, service, PEERS, MESSAGES.unanswered)
    await askEarly()
    await setTimeout(FORGET_MS)
    await askLate()
    const { requests, in_flight, unanswered, lost } = await measurement.stop()
    t.deepEqual(
      { requests, in_flight, unanswered, map_full: lost.map_full },
      { requests: late, in_flight: PEERS - late, unanswered: late, map_full: early },
    )
  },
  'ip',
)

kernelTest(
  'a datagram that nobody has answered for a second is given up when a later one of its peer is answered, and not before',
  async t => {
    const service = await startEcho(t, { place: 'later' })
    const socket = createSocket('udp4')
    t.teardown(() => socket.close())
    const send = (message: string): void =>
      socket.send(Buffer.from(message, 'hex'), service.port, service.host)
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    send(MESSAGES.unanswered)
    const first = once(socket, 'message')
    send(MESSAGES.quick)
    await first
    // The answer is the first one's, as nobody knows better: what is left over is the second one's. Timers may be a millisecond early.
    await setTimeout(ANSWER_MS + 1)
    const second = once(socket, 'message')
    send(MESSAGES.quick)
    await second
    const { requests, in_flight, unanswered } = await measurement.stop()
    t.deepEqual({ requests, in_flight, unanswered }, { requests: 2, in_flight: 0, unanswered: 1 })
  },
  'ip',
)

/** Opens a socket that sends a service one datagram after the other; `ask` waits for the answer. */
const openSocket = (t: Context, { host, port }: UdpService) => {
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  const send = (message: string): Promise<void> =>
    new Promise(sent => socket.send(Buffer.from(message, 'hex'), port, host, () => sent()))
  const ask = async (message: string): Promise<void> => {
    const answer = once(socket, 'message')
    await send(message)
    await answer
  }
  return { send, ask }
}

kernelTest(
  `of 72 more than ${WAITING} that nobody has answered for a second none takes a later answer`,
  async t => {
    const service = await startEcho(t, { place: 'later' })
    const { send, ask } = openSocket(t, service)
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    for (let i = 0; i < WAITING + 72; i++) await send(MESSAGES.unanswered)
    await setTimeout(ANSWER_MS + 1)
    for (let i = 0; i < 10; i++) await ask(MESSAGES.quick)
    const { requests, in_flight, unanswered, lost } = await measurement.stop()
    t.deepEqual(
      { requests, in_flight, unanswered, map_full: lost.map_full },
      { requests: 10, in_flight: 0, unanswered: WAITING, map_full: 72 },
    )
  },
  'ip',
)

kernelTest(
  'a peer that nobody has answered many datagrams, and that never pauses, is followed again after two seconds',
  async t => {
    const service = await startEcho(t, { place: 'later' })
    const { send, ask } = openSocket(t, service)
    const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
    for (let i = 0; i < 3 * WAITING; i++) await send(MESSAGES.unanswered)
    let lost = 2 * WAITING
    for (const end = performance.now() + 2.5 * ANSWER_MS; performance.now() < end; lost++) {
      await ask(MESSAGES.quick)
      await setTimeout(50)
    }
    for (let i = 0; i < WAITING; i++) await ask(MESSAGES.quick)
    const { map_full } = (await measurement.stop()).lost
    t.true(map_full <= lost, `${map_full}, and ${lost} came by then`)
  },
  'ip',
)

for (const [what, quick, isFound] of [
  ['fewer', READS - 1128, true],
  ['more', READS + 872, false],
] as const) {
  kernelTest(
    `of answers that leave when ${what} than ${READS} later datagrams have been read ${isFound ? 'all is known' : 'only the total is known'}`,
    async t => {
      const slow = 500
      const service = await startEcho(t, { place: 'after', delayUs: slow + quick })
      const askSlow = await prepareQuestions(t, service, {
        message: MESSAGES.echo,
        requests: slow,
        peers: slow,
      })
      const askQuick = await prepareQuestions(t, service, {
        message: MESSAGES.quick,
        requests: quick,
        peers: 4,
      })
      const measurement = await startMeasuring(t, '--port', `${service.port}/udp`)
      const slowOnes = askSlow()
      await Promise.all([slowOnes, askQuick()])
      const { requests, in_flight, unanswered, lost, depth } = await measurement.stop()
      t.deepEqual(
        { requests, in_flight, unanswered, lost },
        {
          requests: slow + quick,
          in_flight: 0,
          unanswered: 0,
          lost: { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 },
        },
      )
      const deep = isFound ? slow + quick : quick
      t.true(depth.requests <= deep && depth.requests >= deep * (1 - SHALLOW), `${depth.requests} in depth`)
    },
    'ip',
  )
}
