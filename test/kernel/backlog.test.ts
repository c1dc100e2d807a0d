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
  begun_late: number
  protocol: { requests: number; ns: number }
  same_cpu: number
  placed: number
}

test.before('builds the programs that delay', buildPrograms)

if (listCpus().length > 1) {
  kernelTest(
    'what requests wait for until the service lets go of their socket is theirs, or counted where none did for long',
    async t => {
      const world = await createWorld(t)
      const { server: netns, client, host, serviceCpu, clientCpu } = world
      const { port } = await startServiceAt(t, { host, netns, cpu: serviceCpu })
      const ask = await startAnswering<Counts>(t, TRACER, [port, netns])
      const load = { host, port, connections: 1 }
      await runLoad(t, { ...load, requests: PLAIN_REQUESTS, rate: 4000 }, client, clientCpu)
      const plain = await ask('')

      // The service has the socket in its hands while it sends; of two requests on their way one comes then.
      await attachDelays(
        world,
        netns,
        { port, delayUs: DELAY_US },
        { program: 'delay_reply', hook: 'egress', device: WIRE },
      )
      const runHeld = async (): Promise<Counts> => {
        await runLoad(t, { ...load, requests: HELD_REQUESTS, pipeline: 2 }, client, clientCpu)
        return ask('')
      }
      const missed = await runHeld()
      const seen = await runHeld()
      const said = JSON.stringify({ plain, missed, seen })
      const turns = seen.requests - missed.requests
      t.is(plain.begun_late, 0, said)
      // Nobody had expected the first ones; they are told.
      t.true(missed.begun_late > HELD_REQUESTS / 4, said)
      const { requests, ns } = missed.protocol
      t.is(requests + missed.begun_late, missed.requests, said)
      t.true(turns > HELD_REQUESTS / 4, said)
      t.true(seen.begun_late - missed.begun_late <= turns * (1 - MOST), said)
      t.true((seen.protocol.ns - ns) / turns > (DELAY_US * 1000) / 4, said)
      // Their softirqs were those of the client's CPU, whoever worked off the backlog.
      t.is(seen.same_cpu, 0, said)
      t.is(seen.placed, seen.protocol.requests, said)
    },
    'ip',
    'tc',
    'taskset',
  )
}
