import test from 'ava'
import { runqueue } from '../../attribution/cpu-delays.js'
import type { Injection } from '../../attribution/injection.js'
import { protocol, send } from '../../attribution/packet-delays.js'
import { appCpu, appWait, dispatch } from '../../attribution/service-delays.js'
import type { Machine } from '../../attribution/world.js'
import { kernelTest } from '../../kernel/support/kernel-test.js'
import { assertOrder } from './assert-order.js'
import { irq } from './irq-delay.js'
import { type Ends, findMachine, prepareCard } from './world.js'

/** Runs in the machine, behind its card. The environment has the card's ends. */
const ends: Ends = JSON.parse(process.env.TAUT_LAB_ENDS ?? '')

const INJECTIONS: Injection<Machine>[] = [irq, protocol, runqueue, dispatch, appCpu, appWait, send]

test.before('gives the card its address', () => prepareCard(ends))

for (const injection of INJECTIONS) {
  kernelTest(
    `what grows most is ${injection.stage}, by ${injection.by}`,
    async t => assertOrder(await findMachine(t, ends), injection),
    ...['memcached', 'ip', 'tc', 'taskset'],
  )
}
