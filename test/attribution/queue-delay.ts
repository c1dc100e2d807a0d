import { type Injection, RATE } from './injection.js'
import { attachDelays } from './programs.js'
import { startMemcachedOn } from './services.js'
import { runIn, WIRE } from './world.js'

const VALUE_BYTES = 1000
/** Room for one packet of the largest size. */
const BURST_BYTES = 1600
/** So fast that nothing queues. */
const UNLIMITED = 10e9

/**
 * A shaped interface. With its headers a reply is longer than the value, and at the rate of as many bare values a second
 * as there are requests each has to wait for the one before. How long is known from when it got to the queueing
 * discipline, and when to the client.
 */
export const qdisc: Injection = {
  stage: 'qdisc',
  by: 'tbf',
  start: async (world, delayUs) => {
    const service = await startMemcachedOn(world, world.serviceCpu)
    const bits = delayUs > 0 ? VALUE_BYTES * 8 * RATE : UNLIMITED
    const tbf = ['tbf', 'rate', `${bits}bit`, 'burst', BURST_BYTES, 'limit', 10 * BURST_BYTES]
    await runIn(world.server, 'tc', 'qdisc', 'replace', 'dev', WIRE, 'root', ...tbf)
    const note = { program: 'note_reply', device: WIRE } as const
    const options = { port: service.port, delayUs: 0 }
    const before = await attachDelays(world, world.server, options, { ...note, hook: 'egress' })
    const behind = await attachDelays(world, world.client, options, { ...note, hook: 'ingress' })
    const end = async (): Promise<number> => {
      const [came, left] = [await before.end(), await behind.end()]
      world.t.is(came.times, left.times)
      await service.end()
      return Number(left.sumNs - came.sumNs)
    }
    return { ...service, load: { 'value-bytes': VALUE_BYTES }, end }
  },
}
