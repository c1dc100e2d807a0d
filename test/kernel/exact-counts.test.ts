import { cpus } from 'node:os'
import { assertExact } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { countDataPackets, createNetns, createNetnsPair, writeSettings } from './support/netns.js'
import { startProcess } from './support/processes.js'
import { readStat, startMemcached } from './support/services.js'
import { readSoftnet } from './support/softnet.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

/**
 * Where service and client are, and by which address the client reaches the service; and whether the kernel steers
 * what they receive to another CPU (RPS).
 */
type Route = { server: string; client: string; host: string; steered?: true }

const ROUTES: Record<string, (t: Context) => Promise<Route>> = {
  'loopback over IPv4': async t => onLoopback(await createNetns(t), '127.0.0.1'),
  'loopback over IPv6': async t => onLoopback(await createNetns(t), '::1'),
  'a veth pair over IPv4': async t => {
    const pair = await createNetnsPair(t)
    return { ...pair, host: pair.ipv4 }
  },
  'a veth pair over IPv6': async t => {
    const pair = await createNetnsPair(t)
    return { ...pair, host: pair.ipv6 }
  },
  ...(cpus().length > 1 && {
    'loopback over IPv4, with RPS': async (t: Context) =>
      steerPackets(onLoopback(await createNetns(t), '127.0.0.1')),
    'a veth pair over IPv6, with RPS': async (t: Context) => {
      const pair = await createNetnsPair(t)
      return steerPackets({ ...pair, host: pair.ipv6 })
    },
  }),
}

const onLoopback = (netns: string, host: string): Route => ({ server: netns, client: netns, host })

/** Has every interface steer packets to the first two CPUs, by connection; the setting goes with the namespaces. */
const steerPackets = async (route: Route): Promise<Route> => {
  const write = 'for queue in /sys/class/net/*/queues/rx-*; do echo 3 >"$queue/rps_cpus"; done'
  for (const netns of new Set([route.server, route.client])) await writeSettings(netns, write)
  return { ...route, steered: true }
}

/** An emulated machine is told to be content with fewer. */
const requests = Number(process.env.TAUT_TEST_REQUESTS ?? 200_000)

for (const connections of [8, 1000]) {
  for (const [name, createRoute] of Object.entries(ROUTES)) {
    const title = `counts each of ${requests} requests on ${connections} connections through ${name}`
    kernelTest(title, t => countOn(t, createRoute, connections, requests), 'memcached', 'ip')
  }
}

const countOn = async (
  t: Context,
  createRoute: (t: Context) => Promise<Route>,
  connections: number,
  requests: number,
): Promise<void> => {
  const { server, client, host, steered } = await createRoute(t)
  const service = await startMemcached(t, [], { host, netns: server })
  // Something in the client's namespace to read its counters through.
  const onlooker = await startProcess(t, 'cat', [], { netns: client })
  const getsBefore = await readStat(service, 'cmd_get')
  const packetsBefore = await Promise.all([service, onlooker].map(({ pid }) => countDataPackets(pid)))

  const measurement = await startMeasuring(t, '--netns', server, '--port', service.port)
  const { steered: steeredBefore } = await readSoftnet()
  const load = await runLoad(t, { host, port: service.port, connections, requests }, client)
  if (steered) t.true((await readSoftnet()).steered > steeredBefore, 'packets went to another CPU')
  const document = await measurement.stop()

  t.is(load.requests, requests)
  // Request and reply are one packet each here, and so is the end of the stream in each direction. The namespaces are
  // new: nobody else sends in them. On loopback both directions are counted in the one namespace.
  const packets = (requests + connections) * (server === client ? 2 : 1)
  for (const [index, { pid }] of [service, onlooker].entries()) {
    const sent = async () => (await countDataPackets(pid)) - (packetsBefore[index] ?? 0)
    await waitFor('the connections to end', async () => ((await sent()) >= packets ? true : null))
    t.is(await sent(), packets)
  }
  t.is((await readStat(service, 'cmd_get')) - getsBefore, requests)
  // The interrupt by which RPS wakes a CPU can come while that runs a probe for a backlogged packet: the kernel then leaves
  // a run of that probe out, and taut tells so. The request is counted all the same.
  const recursion = steered ? 0 : document.lost.recursion
  assertExact(t, { ...document, lost: { ...document.lost, recursion } }, requests)
  t.is(document.target.pid, service.pid)
  t.is(document.target.comm, 'memcached')
}
