import test from 'ava'
import { isInTotal, STAGES } from '../../../src/latency/stages.js'
import { runqueue } from '../../attribution/cpu-delays.js'
import { DELAY_US, type Injection, REQUESTS } from '../../attribution/injection.js'
import { measureDelayed } from '../../attribution/measure.js'
import { protocol, send } from '../../attribution/packet-delays.js'
import { appCpu, appWait, dispatch } from '../../attribution/service-delays.js'
import type { Machine } from '../../attribution/world.js'
import { assertExact, spreadMean } from '../../kernel/support/assertions.js'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { irq } from './irq-delay.js'
import { type Ends, findMachine, prepareCard } from './world.js'

/** Runs in the machine: the stage that grows most is the one that was delayed. The environment has the card's ends. */
const ends: Ends = JSON.parse(process.env.TAUT_LAB_ENDS ?? '')

const INJECTIONS: Injection<Machine>[] = [irq, protocol, runqueue, dispatch, appCpu, appWait, send]

test.before('gives the card its address', () => prepareCard(ends))

const assertOrder = async (t: Context, injection: Injection<Machine>): Promise<void> => {
  const machine = await findMachine(t, ends)
  const [base, delayed] = [
    await measureDelayed(machine, injection, 0),
    await measureDelayed(machine, injection, DELAY_US),
  ]
  for (const { document } of [base, delayed]) {
    // Emulated, an interrupt often comes while a probe runs; that is told, and no request is left out for it.
    assertExact(t, { ...document, pipelined: 0, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
  }
  const moved = STAGES.filter(isInTotal)
    .map(name => ({ name, us: spreadMean(delayed.document, name) - spreadMean(base.document, name) }))
    .sort((a, b) => b.us - a.us)
  t.log(moved.map(({ name, us }) => `${name} ${Math.round(us)}`).join(', '))
  t.is(moved[0]?.name, injection.stage)
}

for (const injection of INJECTIONS) {
  const title = `what grows most is ${injection.stage}, by ${injection.by}`
  kernelTest(title, t => assertOrder(t, injection), 'memcached', 'ip', 'tc', 'taskset')
}
