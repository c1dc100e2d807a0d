import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { connectFirst, runLoad } from './support/load.js'
import { createNetnsPair, setNamespaceSysctl } from './support/netns.js'
import { startAnswering } from './support/processes.js'
import { type Place, startMemcached, startService } from './support/services.js'

const TRACER = rootPath('dist/test/kernel/fixtures/adapting-tracer.js')

/** More than it takes to tell that a service does without a probe. */
const PLAIN_REQUESTS = 5000

type Counts = { unsplit: number; app_wait_ns: number }

/** Starts a tracer, and gives what has it adapt its probes and tells its counts. */
const startTracer = async (t: Context, { port, netns }: Place): Promise<() => Promise<Counts>> => {
  const ask = await startAnswering<Counts>(t, TRACER, netns === undefined ? [port] : [port, netns])
  return () => ask('')
}

kernelTest(
  'sees the send call of replies that TCP holds back again, once there are some',
  async t => {
    const { server, client, ipv4 } = await createNetnsPair(t)
    // The client can take in little at a time, so that large replies wait in the send queue.
    await setNamespaceSysctl(client, 'net.ipv4.tcp_rmem', '4096 16384 16384')
    const service = await startMemcached(t, ['-I', '2m'], { host: ipv4, netns: server })
    const place = { host: ipv4, port: service.port, connections: 2 }
    const large = { ...place, requests: 200, pipeline: 10, 'value-bytes': 100_000 }
    const first = await connectFirst(t, large, client)
    const second = await connectFirst(t, large, client)
    const adapt = await startTracer(t, service)
    await runLoad(t, { ...place, requests: PLAIN_REQUESTS, 'set-bytes': 100 }, client)
    const plain = (await adapt()).unsplit
    await first()
    const unseen = (await adapt()).unsplit
    t.true(unseen > plain, 'the probe was not detached')
    await second()
    // A reply can leave on another CPU before its send call has ended: seldom, where each was unseen before.
    const left = (await adapt()).unsplit - unseen
    t.true(left < (unseen - plain) / 10, `${left} of the second load, ${unseen - plain} of the first`)
  },
  'memcached',
)

kernelTest('keeps seeing which thread wakes which where requests are handed over', async t => {
  const delayUs = 500
  const service = await startService(t, '--model', 'handoff', '--place', 'app_wait', '--delay-us', delayUs)
  const adapt = await startTracer(t, service)
  const load = { port: service.port, connections: 1 }
  await runLoad(t, { ...load, requests: 1100 })
  const before = await adapt()
  await runLoad(t, { ...load, requests: 1000 })
  const after = await adapt()
  t.true(after.app_wait_ns - before.app_wait_ns >= 1000 * delayUs * 1000)
})
