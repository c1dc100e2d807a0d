import { readFile, writeFile } from 'node:fs/promises'
import type { MeasureDocument } from '../../src/latency/document.js'
import { assertExact, requestsOf } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { createNetns, createNetnsPair, writeSettings } from './support/netns.js'
import { listCpus } from './support/scheduler.js'
import { startServiceAt } from './support/services.js'
import { readSoftnet } from './support/softnet.js'
import { startMeasuring } from './support/taut.js'

const REQUESTS = 2000
/** A packet on its way is looked up by its address, whose place in a table another may have taken. */
const MOST = 0.99
const [clientCpu = 0, serviceCpu = 0] = listCpus()
/** So many that two of the few here hardly ever share an entry: then one's packets stay where they are. */
const FLOWS = 32_768
/** The machine's, not a namespace's. */
const FLOW_ENTRIES = '/proc/sys/net/core/rps_sock_flow_entries'

type Route = { server: string; client: string; host: string }

/** Asserts that requests are seen to be handed over, from the client's CPU to the service's. */
const assertSteered = async (t: Context, { server, client, host }: Route): Promise<MeasureDocument> => {
  const service = await startServiceAt(t, { host, netns: server, cpu: serviceCpu })
  const { port } = service
  const measurement = await startMeasuring(t, '--netns', server, '--port', port)
  const before = await readSoftnet()
  await runLoad(t, { host, port, connections: 4, requests: REQUESTS, rate: 2000 }, client, clientCpu)
  const after = await readSoftnet()
  const document = await measurement.stop()
  t.true(after.steered > before.steered, 'packets went to another CPU')
  // The interrupt that tells the other CPU can come on top of a probe.
  assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
  // Of those whose packet was seen.
  const seen = requestsOf(document, 'protocol')
  t.true(seen > REQUESTS / 2 && requestsOf(document, 'steer') >= seen * MOST, JSON.stringify(document.stages))
  assertMoved(t, document, seen)
  return document
}

/** Asserts that nearly all requests were moved from the client's CPU to the service's, and none elsewhere. */
const assertMoved = (t: Context, { steering, exemplars }: MeasureDocument, seen: number): void => {
  const [way, ...others] = steering
  t.like(way, { driver_cpu: clientCpu, softirq_cpu: serviceCpu })
  t.deepEqual(others, [])
  t.true((way?.requests ?? 0) >= seen * MOST, JSON.stringify(steering))
  const moved = exemplars.filter(({ stages }) => stages.steer !== undefined)
  t.true(moved.length > 0)
  for (const { cpu } of moved) t.like(cpu, { driver: clientCpu, softirq: serviceCpu })
}

/** Has the kernel remember for so many flows on which CPU their application is, until the test is over. */
const rememberFlows = async (t: Context, entries: number): Promise<void> => {
  const before = await readFile(FLOW_ENTRIES, 'utf8')
  t.teardown(() => writeFile(FLOW_ENTRIES, before))
  await writeFile(FLOW_ENTRIES, String(entries))
}

if (serviceCpu !== clientCpu) {
  kernelTest(
    "the CPU that packets are steered to has woken up for them: no request's thread waits for that as well",
    async t => {
      const netns = await createNetns(t)
      const mask = (1 << serviceCpu).toString(16)
      await writeSettings(netns, `echo ${mask} >/sys/class/net/lo/queues/rx-0/rps_cpus`)
      const document = await assertSteered(t, { server: netns, client: netns, host: '127.0.0.1' })
      const woken = requestsOf(document, 'idle_exit')
      t.true(woken <= REQUESTS * (1 - MOST), JSON.stringify(document.stages))
    },
    'ip',
  )

  kernelTest(
    'sees requests steered by RFS alone',
    async t => {
      const netns = await createNetns(t)
      await rememberFlows(t, FLOWS)
      await writeSettings(netns, `echo ${FLOWS} >/sys/class/net/lo/queues/rx-0/rps_flow_cnt`)
      await assertSteered(t, { server: netns, client: netns, host: '127.0.0.1' })
    },
    'ip',
  )

  kernelTest(
    'sees requests steered from a queue that is not the first',
    async t => {
      const { server, client, ipv4 } = await createNetnsPair(t, 3)
      const mask = (cpu: number): string => (1 << cpu).toString(16)
      // The client sends by its last queue, for whose packets the service's side has taken the second one's settings.
      await writeSettings(client, `echo ${mask(clientCpu)} >/sys/class/net/wire/queues/tx-2/xps_cpus`)
      await writeSettings(server, `echo ${mask(serviceCpu)} >/sys/class/net/wire/queues/rx-1/rps_cpus`)
      await assertSteered(t, { server, client, host: ipv4 })
    },
    'ip',
  )
}
