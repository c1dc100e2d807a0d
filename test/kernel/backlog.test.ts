import test from 'ava'
import { attachDelays, buildPrograms } from '../attribution/programs.js'
import { createWorld, WIRE } from '../attribution/world.js'
import { rootPath } from './support/fixtures.js'
import { kernelTest } from './support/kernel-test.js'
import { runLoad } from './support/load.js'
import { startAnswering } from './support/processes.js'
import { listCpus } from './support/scheduler.js'
import { startServiceAt } from './support/services.js'

const TRACER = rootPath('dist/test/kernel/fixtures/adapting-tracer.js')
/** More than it takes to tell that a service does without a probe. */
const PLAIN_REQUESTS = 2000
const HELD_REQUESTS = 400
const DELAY_US = 500
/** A packet on its way is looked up by its address, whose place in a table another may have taken. */
const MOST = 0.99

type Counts = {
  requests: number
  protocol: { requests: number; ns: number }
  same_cpu: number
  placed: number
}

test.before('builds the programs that delay', buildPrograms)

if (listCpus().length > 1) {
  kernelTest(
    'requests that wait for the service to let go of the socket are accounted for, also where none did for long',
    async t => {
      const world = await createWorld(t)
      const { server: netns, client, host, serviceCpu, clientCpu } = world
      const { port } = await startServiceAt(t, { host, netns, cpu: serviceCpu })
      const ask = await startAnswering<Counts>(t, TRACER, [port, netns])
      const load = { host, port, connections: 1 }
      await runLoad(t, { ...load, requests: PLAIN_REQUESTS, rate: 4000 }, client, clientCpu)
      const before = await ask('')

      // The service has the socket in its hands while it sends; of two requests on their way one comes then.
      await attachDelays(
        world,
        netns,
        { port, delayUs: DELAY_US },
        { program: 'delay_reply', hook: 'egress', device: WIRE },
      )
      await runLoad(t, { ...load, requests: HELD_REQUESTS, pipeline: 2 }, client, clientCpu)
      const after = await ask('')
      const said = JSON.stringify({ before, after })
      const difference = (read: (counts: Counts) => number): number => read(after) - read(before)
      const requests = difference(counts => counts.requests)
      t.true(requests > HELD_REQUESTS / 4, said)
      t.true(difference(({ protocol }) => protocol.requests) >= requests * MOST, said)
      t.true(difference(({ protocol }) => protocol.ns) / requests > (DELAY_US * 1000) / 4, said)
      // Their softirqs were the client's CPU's, whoever worked off the backlog.
      t.is(after.same_cpu, 0, said)
      t.true(after.placed >= after.requests * MOST, said)
    },
    'ip',
    'tc',
    'taskset',
  )
}
