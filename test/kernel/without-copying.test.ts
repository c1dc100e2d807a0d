import { assertExact, followsSyscalls, requestsOf, spreadMean } from './support/assertions.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { startService } from './support/services.js'
import { startMeasuring } from './support/taut.js'

const DELAY_US = 2000
const LOAD = { requests: 500, rate: 250 }

const measure = async (t: Context, ...args: (string | number)[]) => {
  const service = await startService(t, ...args)
  const measurement = await startMeasuring(t, '--port', service.port)
  await runLoad(t, { port: service.port, ...LOAD })
  return measurement.stop()
}

for (const way of ['splice', 'discard']) {
  kernelTest(`has no recv of a service that takes requests by ${way}, and its time in dispatch`, async t => {
    const args = ['--way', way, '--place', 'dispatch', '--delay-us', DELAY_US]
    const document = await measure(t, ...args)
    // Where system calls are followed, each is seen to begin.
    assertExact(t, document, LOAD.requests, { absent: followsSyscalls() ? undefined : 'recv' })
    t.is(requestsOf(document, 'dispatch'), LOAD.requests)
    t.true(spreadMean(document, 'dispatch') >= DELAY_US)
    for (const name of ['recv', 'app_cpu', 'app_wait', 'runqueue', 'send'] as const)
      t.true(spreadMean(document, name) < DELAY_US / 2, name)
  })
}

kernelTest('has the recv of a service that waits in splice until a request comes', async t => {
  const document = await measure(t, '--way', 'splice', '--model', 'thread-per-connection')
  t.is(document.requests, LOAD.requests)
  // When one is there before the service waits for it, nobody sees the call begin.
  t.true(requestsOf(document, 'recv') > LOAD.requests / 2, JSON.stringify(document.stages))
})
