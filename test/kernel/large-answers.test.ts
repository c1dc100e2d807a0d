import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MESSAGES, measureAnswers, startEcho, startUdpMemcached } from './support/datagrams.js'
import { watchDepartures } from './support/departures.js'
import { kernelTest } from './support/kernel-test.js'
import { createNetnsPair } from './support/netns.js'
import { readStat, storeValue } from './support/services.js'

const run = promisify(execFile)

const REQUESTS = 20_000
/** memcached puts no more than 1,400 bytes into a datagram. */
const VALUE_BYTES = 5000
const PARTS = 4

for (const [what, threads, peers, window] of [
  ['one at a time of each of eight peers', 4, 8, 1],
  ['eight on their way of one', 1, 1, 8],
] as const) {
  kernelTest(
    `an answer of memcached that is several datagrams is one: ${what}`,
    async t => {
      const service = await startUdpMemcached(t, threads)
      const place = { ...service, port: service.tcpPort }
      await storeValue(place, VALUE_BYTES)
      const questions = { message: MESSAGES.memcached, requests: REQUESTS, peers, window, parts: PARTS }
      await measureAnswers(t, service, questions)
      t.is(await readStat(place, 'get_hits'), REQUESTS)
    },
    'memcached',
  )
}

/** A packet of the answers, with its headers; so many of them a second go through, also where some are late. */
const [PACKET_BYTES, PACKETS] = [1054, 2000]

kernelTest(
  'an answer of several datagrams is one where they queue at the interface, and ends with its first',
  async t => {
    const pair = await createNetnsPair(t)
    const tbf = ['tbf', 'rate', `${8 * PACKET_BYTES * PACKETS}bit`, 'burst', '16000', 'limit', '1mb']
    await run('tc', ['-n', pair.server, 'qdisc', 'replace', 'dev', 'wire', 'root', ...tbf])
    const parts = 5
    const service = await startEcho(t, { host: pair.ipv4, netns: pair.server, parts })
    const message = `0000${'ab'.repeat(PACKET_BYTES - 44)}`
    const questions = { message, requests: 2000, peers: 1, window: 4, parts }
    const countUntold = await watchDepartures(t, pair.server, 'wire')
    const { stages } = await measureAnswers(t, service, questions, pair.client, countUntold)
    // Four answers are on their way round at any time: the last datagram of one leaves when all of four have gone through, and
    // its first one so many sooner.
    const [round, sooner] = [(questions.window * parts * 1e6) / PACKETS, ((parts - 1) * 1e6) / PACKETS]
    const qdiscUs = stages.find(({ name }) => name === 'qdisc')?.mean_us ?? 0
    t.true(qdiscUs > round / 2 && qdiscUs < round - sooner / 2, `${qdiscUs} us`)
  },
  'ip',
  'tc',
)
