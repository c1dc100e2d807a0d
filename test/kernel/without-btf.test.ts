import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { MeasureDocument } from '../../src/latency/document.js'
import { isInTotal, STAGES } from '../../src/latency/stages.js'
import { assertExact, assertNear, spreadMean } from './support/assertions.js'
import { MESSAGES, prepareQuestions, startEcho } from './support/datagrams.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { createEntryCounter } from './support/maps.js'
import { startProcess } from './support/processes.js'
import { ofHandOvers, startMemcached, startService } from './support/services.js'
import { startMeasuring, TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'
import { startWithoutBtf, withholdBtf } from './support/without-btf.js'

/** An emulated machine is told to be content with fewer. */
const atMost = (requests: number): number =>
  Math.min(requests, Number(process.env.TAUT_TEST_REQUESTS ?? requests))

const LOADS = {
  'on 8 connections': { connections: 8, requests: atMost(100_000) },
  'on 1000 connections': { connections: 1000, requests: atMost(50_000) },
  'with a connection for each': { connections: 8, requests: 5_000, reconnect: true },
} as const

for (const [name, load] of Object.entries(LOADS)) {
  kernelTest(
    `without BTF in the kernel, counts each request ${name}`,
    async t => {
      const service = await startMemcached(t)
      const measurement = await startWithoutBtf(t, '--port', service.port)
      await runLoad(t, { port: service.port, ...load })
      assertExact(t, await measurement.stop(), load.requests)
    },
    'memcached',
    'unshare',
  )

  kernelTest(
    `without BTF in the kernel, counts each request that clients send ${name}`,
    async t => {
      const service = await startMemcached(t)
      const measurement = await startWithoutBtf(t, '--to', service.port)
      await runLoad(t, { port: service.port, ...load })
      assertExact(t, await measurement.stop(), load.requests)
    },
    'memcached',
    'unshare',
  )
}

kernelTest(
  'without BTF in the kernel, counts each datagram',
  async t => {
    const service = await startEcho(t, {})
    const questions = { message: MESSAGES.echo, requests: atMost(20_000) }
    const ask = await prepareQuestions(t, service, questions)
    const measurement = await startWithoutBtf(t, '--port', `${service.port}/udp`)
    await ask()
    const { requests, lost, in_flight, unanswered } = await measurement.stop()
    // Where a probe is not run as a datagram comes, that and its answer are told to be without each other.
    const said = JSON.stringify({ requests, lost })
    t.true(lost.unmatched <= questions.requests / 1000, said)
    t.deepEqual(
      { all: requests + Math.ceil(lost.unmatched / 2), in_flight, unanswered },
      { all: questions.requests, in_flight: 0, unanswered: 0 },
      said,
    )
  },
  'unshare',
)

const DELAY_US = 2000
const DELAYED = { requests: 300, rate: 250 }

/** Both look at the same requests: what one takes at a point is a part of what the other sees there. */
const assertSame = (t: Context, without: MeasureDocument, beside: MeasureDocument): void => {
  for (const name of STAGES.filter(isInTotal))
    assertNear(t, spreadMean(without, name), spreadMean(beside, name), DELAY_US / 100, name)
}

for (const [place, ...model] of [
  ['app_cpu'],
  ['app_wait'],
  ['dispatch'],
  ['blocked-dispatch'],
  ['body'],
  ['app_wait', '--model', 'handoff'],
] as const) {
  kernelTest(
    `without BTF in the kernel, shows 2 ms of ${[place, ...model].join(' ')} where it is shown with it`,
    async t => {
      const service = await startService(t, ...model, '--place', place, '--delay-us', DELAY_US)
      const without = await startWithoutBtf(t, '--port', service.port)
      const beside = await startMeasuring(t, '--port', service.port)
      await runLoad(t, { port: service.port, ...DELAYED })
      const documents = [await without.stop(), await beside.stop()] as const
      for (const document of documents) {
        assertExact(t, document, DELAYED.requests, { undivided: ofHandOvers(model) })
        t.true((document.cost.bpf_ns_per_request ?? 0) > 0)
      }
      assertSame(t, ...documents)
      t.true((documents[0].total.mean_us ?? 0) > DELAY_US)
    },
    'unshare',
  )
}

kernelTest(
  'without BTF in the kernel, keeps nothing of connections and threads that are gone',
  async t => {
    const service = await startService(t, '--model', 'thread-per-connection')
    const measurement = await startWithoutBtf(t, '--port', service.port)
    const countEntries = await createEntryCounter(t, measurement.pid)
    const before = await countEntries()
    const requests = 2000
    const [, most] = await Promise.all([
      runLoad(t, { port: service.port, connections: 4, requests, reconnect: true, rate: 1000 }),
      // What finds nothing afterwards finds something meanwhile.
      waitFor('a connection and its thread', async () => {
        const { connections, threads } = await countEntries()
        return connections > before.connections && threads > before.threads ? true : null
      }),
    ])
    t.true(most)
    await waitFor('their end', async () => (isDeepStrictEqual(await countEntries(), before) ? true : null))
    t.is(before.connections, 0)
    assertExact(t, await measurement.stop(), requests)
  },
  'unshare',
)

const runWithoutBtf = async (t: Context, ...args: (string | number)[]) => {
  const { by } = await withholdBtf(t)
  const [program = '', ...before] = by
  const running = await startProcess(t, program, [...before, process.execPath, TAUT, ...args])
  return running.ended
}

kernelTest(
  'without BTF in the kernel and without a file: exit 3, and where to get one',
  async t => {
    const service = await startService(t)
    const { code, stderr, stdout } = await runWithoutBtf(t, 'measure', '--port', service.port)
    t.is(code, 3, stderr)
    t.regex(stderr, /^taut: the kernel has no BTF in \/sys\/kernel\/btf\/vmlinux; it takes --btf FILE/)
    t.is(stdout, '')
  },
  'unshare',
)

kernelTest(
  'without BTF in the kernel and without a file, doctor tells what is missing and tries each probe all the same',
  async t => {
    const { code, stderr, stdout } = await runWithoutBtf(t, 'doctor', '--json')
    t.is(code, 3, stderr)
    const { checks, loads, probes } = JSON.parse(stdout)
    t.regex(checks.find(({ name }: { name: string }) => name === 'btf').remedy, /--btf FILE/)
    t.is(loads, null)
    for (const point of ['sched/sched_switch', 'tcp/tcp_rcv_space_adjust'])
      t.true(probes.find((probe: { point: string }) => probe.point === point)?.ok, point)
  },
  'unshare',
)

kernelTest(
  'a BTF file that is none: exit 1, and what is wrong with it',
  async t => {
    const service = await startService(t)
    const folder = await createFolder(t)
    const [text, empty] = [join(folder, 'text'), join(folder, 'empty')]
    await writeFile(text, 'no types')
    await writeFile(empty, '')
    for (const [file, message] of [
      [join(folder, 'absent'), /^taut: cannot read the BTF file: ENOENT/],
      [folder, /^taut: cannot read the BTF file: EISDIR/],
      [text, /is no BTF file \(try --btf FILE/],
      [empty, /is no BTF file \(try --btf FILE/],
    ] as const) {
      const { code, stderr } = await runWithoutBtf(t, 'measure', '--port', service.port, '--btf', file)
      t.is(code, 1, stderr)
      t.regex(stderr, message)
      t.false(stderr.includes('    at '), 'a message and no stack')
    }
  },
  'unshare',
)
