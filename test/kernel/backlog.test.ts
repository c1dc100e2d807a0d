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
const REQUESTS = 400
const DELAY_US = 500
/** A packet on its way is looked up by its address, whose place in a table another may have taken. */
const MOST = 0.99

type Counts = {
  requests: number
  begun_late: number
  protocol: { requests: number; ns: number }
  same_cpu: number
  placed: number
}

test.before('builds the programs that delay', buildPrograms)

if (listCpus().length > 1) {
  kernelTest(
    'what requests wait for until the service lets go of their socket is theirs, or counted where nobody kept their packets',
    async t => {
      const world = await createWorld(t)
      const { server: netns, client, host, serviceCpu, clientCpu } = world
      const { port } = await startServiceAt(t, { host, netns, cpu: serviceCpu })
      const ask = await startAnswering<Counts>(t, TRACER, [port, netns])
      // The service has the socket in its hands while it sends; of two requests on their way one comes then.
      await attachDelays(
        world,
        netns,
        { port, delayUs: DELAY_US },
        { program: 'delay_reply', hook: 'egress', device: WIRE },
      )
      const load = { host, port, connections: 1, requests: REQUESTS, pipeline: 2 }
      await runLoad(t, load, client, clientCpu)
      const kept = await ask('')
      await ask('let go')
      await runLoad(t, load, client, clientCpu)
      const all = await ask('')
      const said = JSON.stringify({ kept, all })
      t.true(kept.requests > REQUESTS / 4, said)
      t.true(kept.begun_late <= kept.requests * (1 - MOST), said)
      t.true(kept.protocol.ns / kept.requests > (DELAY_US * 1000) / 4, said)
      // How often the service has the socket in its hands just then is the machine's doing.
      t.true(all.begun_late > kept.begun_late, said)
      t.is(all.protocol.requests + all.begun_late, all.requests, said)
      // The softirqs were those of the client's CPU, whoever worked off the backlog.
      t.is(all.same_cpu, 0, said)
      t.is(all.placed, all.protocol.requests, said)
    },
    'ip',
    'tc',
    'taskset',
  )
}
