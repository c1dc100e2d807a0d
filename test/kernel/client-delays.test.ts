import test from 'ava'
import type { MeasureDocument } from '../../src/latency/document.js'
import { isInTotal, STAGES_OF, type StageName } from '../../src/latency/stages.js'
import { attachDelays, buildPrograms, type Delayer, startBursts } from '../attribution/programs.js'
import { startMemcachedOn } from '../attribution/services.js'
import { createWorld, WIRE, type World } from '../attribution/world.js'
import { assertExact, spreadMean } from './support/assertions.js'
import { assertNoFaults, findFar } from './support/comparison.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { type LoadResult, runLoad } from './support/load.js'
import { setNamespaceSysctl } from './support/netns.js'
import { listCpus, readStolen } from './support/scheduler.js'
import { startMeasuring } from './support/taut.js'

const DELAY_US = 2000
const LOAD = { requests: 200, rate: 200 }
const OF_IT = 0.05

test.before('builds the programs that delay', buildPrograms)

/** Delays each request of the client to a port, or its reply, once; with a delay of 0 the same is done in no time. */
type Inject = (world: World, port: number, delayUs: number) => Promise<Delayer>

const atTheWire =
  (program: string, hook: 'ingress' | 'egress'): Inject =>
  (world, port, delayUs) =>
    attachDelays(world, world.client, { port, delayUs }, { program, hook, device: WIRE })

/** The only port that a client gets, which is where replies go. */
const CLIENT_PORT = 40_000

const INJECTIONS: readonly { stage: StageName; by: string; delaysClient?: true; inject: Inject }[] = [
  { stage: 'send', by: 'on its way out', inject: atTheWire('delay_request', 'egress') },
  { stage: 'protocol', by: 'whose reply is held before IP', inject: atTheWire('delay_reply', 'ingress') },
  {
    stage: 'runqueue',
    by: 'whose client has to wait for a CPU',
    delaysClient: true,
    inject: async (world, _, burstUs) => {
      await setNamespaceSysctl(world.client, 'net.ipv4.ip_local_port_range', `${CLIENT_PORT} ${CLIENT_PORT}`)
      return startBursts({ ...world, server: world.client }, { device: WIRE, port: CLIENT_PORT, burstUs })
    },
  },
]

type Run = { document: MeasureDocument; injectedUs: number; client: LoadResult }

const measure = async (world: World, inject: Inject, delayUs: number): Promise<Run> => {
  const { t } = world
  // The service is where the world has its client, so that nothing but the client is on the other CPU.
  const service = await startMemcachedOn(world, world.clientCpu)
  const delayer = await inject(world, service.port, delayUs)
  const measurement = await startMeasuring(t, '--netns', world.client, '--to', service.port)
  const load = { host: world.host, port: service.port, ...LOAD }
  const client = await runLoad(t, load, world.client, world.serviceCpu)
  const document = await measurement.stop()
  const { sumNs, times } = await delayer.end()
  await service.end()
  assertExact(t, document, LOAD.requests)
  t.is(times, LOAD.requests)
  return { document, injectedUs: Number(sumNs) / LOAD.requests / 1000, client }
}

const assertFound = async (
  t: Context,
  stage: StageName,
  inject: Inject,
  delaysClient = false,
): Promise<void> => {
  const world = await createWorld(t)
  await assertNoFaults(t, async () => {
    const stolenBefore = await readStolen()
    const base = await measure(world, inject, 0)
    const delayed = await measure(world, inject, DELAY_US)
    const injected = delayed.injectedUs - base.injectedUs
    const moved = (name: StageName): number =>
      spreadMean(delayed.document, name) - spreadMean(base.document, name)
    const waited = delayed.client.run_delay_us - base.client.run_delay_us
    const others = Math.abs(waited - (delaysClient ? injected : 0))
    const stolen = ((await readStolen()) - stolenBefore) / LOAD.requests / 1000
    const disturbed = Math.max(others, stolen) > (DELAY_US * OF_IT) / 2
    return {
      faults: [
        ...(injected > DELAY_US * 0.9 ? [] : [`${injected} us were injected`]),
        ...STAGES_OF.client
          .filter(isInTotal)
          .flatMap(name => findFar(name, moved(name), name === stage ? injected : 0, DELAY_US * OF_IT)),
      ],
      disturbance: disturbed ? `others took ${others} us a request, the hypervisor ${stolen} us` : null,
    }
  })
}

for (const { stage, by, inject, delaysClient } of INJECTIONS) {
  const title = `finds in ${stage} the 2 ms of a client's request ${by}, and nowhere else`
  if (listCpus().length < 2) test.skip(`${title} (needs two CPUs)`, t => t.pass())
  else kernelTest(title, t => assertFound(t, stage, inject, delaysClient), 'memcached', 'ip', 'tc', 'taskset')
}
