import { probeAttach, type TracepointKind } from 'libbpf-ts'
import { findKernelTypes, type KernelTypes } from '../../src/probes/kernel-types.js'
import { TrafficMeter } from '../../src/probes/traffic.js'
import { listServices } from '../../src/system/services.js'
import { keepAsking, startMemcachedOfBoth } from './support/datagrams.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { startService } from './support/services.js'
import { runTaut } from './support/taut.js'

const OWN_BTF = '/sys/kernel/btf/vmlinux'
const MS = 500

/** Gives the reads a second of both protocols on a port. */
const readRates = async (types: KernelTypes, port: number): Promise<(number | null | undefined)[]> => {
  const services = await listServices('tcp', 'udp')
  using meter = new TrafficMeter(types)
  const rates = await meter.measure(services, MS)
  return (['tcp', 'udp'] as const).map(
    protocol => rates[services.findIndex(each => each.port === port && each.protocol === protocol)],
  )
}

/** Whether the kernel tells of reads of UDP. */
const countsUdp = (kind: TracepointKind): boolean => probeAttach('sock_recv_length', kind).attachable

for (const [kind, file] of [['tp_btf'], ['raw_tp', OWN_BTF]] as const) {
  kernelTest(
    `${kind}: of TCP and UDP on one port, each has its own reads`,
    async t => {
      const service = await startMemcachedOfBoth(t)
      const types = findKernelTypes(file)
      const none = countsUdp(kind) ? 0 : null
      t.deepEqual(await readRates(types, service.port), [0, none])

      await keepAsking(t, service)
      const [tcp, udp] = await readRates(types, service.port)
      t.is(tcp, 0)
      if (none === null) t.is(udp, null)
      else t.true((udp ?? 0) > 0)
    },
    'memcached',
  )
}

kernelTest(
  'the reads of TCP are not those of UDP on the same port',
  async t => {
    const service = await startMemcachedOfBoth(t)
    keepLoading(t, service.port, 500)
    const [tcp, udp] = await readRates({ kind: 'tp_btf' }, service.port)
    t.true((tcp ?? 0) > 0)
    t.is(udp, countsUdp('tp_btf') ? 0 : null)
  },
  'memcached',
)

/** Keeps a service busy until the test is over. */
const keepLoading = (t: Context, port: number, rate: number): void => {
  void runLoad(t, { port, connections: 2, rate, requests: 1_000_000 }).catch(() => undefined)
}

kernelTest(
  'measure without a target takes a service of UDP when that has the most traffic',
  async t => {
    const idle = await startService(t)
    const busy = await startMemcachedOfBoth(t)
    await keepAsking(t, busy)
    const { code, stdout, stderr } = await runTaut(t, ['measure', '--for', '500ms', '--json'])
    t.is(code, 0, stderr)
    t.is(stderr, `taut: chose memcached ${busy.port}/udp, the service with the most traffic\n`)
    const { target, requests } = JSON.parse(stdout)
    t.deepEqual([target.port, target.protocol, target.pid], [busy.port, 'udp', busy.pid])
    t.true(requests > 0)
    t.not(idle.port, busy.port)
  },
  'memcached',
)

kernelTest(
  'the same port of TCP is the one with the most traffic when that has more',
  async t => {
    const busy = await startMemcachedOfBoth(t)
    await keepAsking(t, busy, 200)
    keepLoading(t, busy.port, 4000)
    const { code, stdout, stderr } = await runTaut(t, ['measure', '--for', '500ms', '--json'])
    t.is(code, 0, stderr)
    t.is(stderr, `taut: chose memcached ${busy.port}, the service with the most traffic\n`)
    t.is(JSON.parse(stdout).target.protocol, 'tcp')
  },
  'memcached',
)
