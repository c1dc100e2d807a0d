import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { listNapiThreads } from '../../src/system/threads.js'
import { MESSAGES, measureAnswers, prepareQuestions, startEcho } from './support/datagrams.js'
import { kernelTest } from './support/kernel-test.js'
import { createNetnsPair, type NetnsPair, writeSettings } from './support/netns.js'
import { listCpus, pinProcess } from './support/scheduler.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)

/**
 * Has the wire hand packets to the service's namespace over as a card's driver does, in batches that GRO makes: a thread polls it, which
 * runs on a CPU while nothing else has work there, clients that send to the service above all.
 */
const batch = async ({ server, client }: NetnsPair, cpu: number): Promise<void> => {
  // One of another test's namespace may take a while to go.
  const others = listNapiThreads('wire').map(({ tid }) => tid)
  await writeSettings(server, 'ethtool -K wire gro on; echo 1 >/sys/class/net/wire/threaded')
  // Else it has GRO for nobody, as its packets are as large as can be already.
  await writeSettings(client, 'ethtool -K wire tso off gso off')
  const thread = await waitFor(
    'the thread that polls',
    async () => listNapiThreads('wire').find(({ tid }) => !others.includes(tid)) ?? null,
  )
  await run('chrt', ['--idle', '-p', '0', String(thread.tid)])
  await pinProcess(thread.tid, cpu)
}

for (const family of ['ipv4', 'ipv6'] as const) {
  kernelTest(
    `takes each datagram of a batch for what it is, others between them: ${family}`,
    async t => {
      const pair = await createNetnsPair(t)
      const cpu = Number(listCpus()[0])
      await batch(pair, cpu)
      const at = { host: pair[family], netns: pair.server, cpu: Number(listCpus().at(-1)) }
      const [service, other] = [await startEcho(t, at), await startEcho(t, at)]
      const questions = { message: MESSAGES.echo, requests: 300_000, peers: 16, window: 4, cpu }
      const askOther = await prepareQuestions(t, other, { ...questions, requests: 600_000 }, pair.client)
      const asking = askOther()
      const { overheads } = await measureAnswers(t, service, questions, pair.client)
      await asking
      t.true((overheads.packets_per_poll ?? 0) > 1, `${overheads.packets_per_poll} packets a poll`)
      t.is((await service.finish()).requests, questions.requests)
    },
    'ip',
    'ethtool',
    'chrt',
    'taskset',
  )
}

/** Gives how many packets have come by the wire into a namespace that the test made. */
const countReceived = async (netns: string): Promise<number> => {
  const { stdout } = await run('ip', ['-n', netns, '-json', '-s', 'link', 'show', 'wire'])
  return JSON.parse(stdout)[0].stats64.rx.packets
}

for (const where of ['the same CPU', 'another CPU']) {
  kernelTest(
    `takes each part of a packet that is segmented at the socket for a datagram, with a service on ${where}`,
    async t => {
      const { server, client, ipv4 } = await createNetnsPair(t)
      const [cpu, other] = [Number(listCpus()[0]), Number(listCpus().at(-1))]
      const service = await startEcho(t, {
        host: ipv4,
        netns: server,
        cpu: where === 'the same CPU' ? cpu : other,
      })
      const questions = { message: MESSAGES.echo, requests: 100_000, peers: 4, window: 32, together: 16, cpu }
      await measureAnswers(t, service, questions, client)
      t.is((await service.finish()).requests, questions.requests)
      const packets = await countReceived(server)
      t.true(packets < questions.requests / 8, `${packets} packets`)
    },
    'ip',
  )
}
