import { idleExit, steer } from '../../attribution/cpu-delays.js'
import type { Injection } from '../../attribution/injection.js'
import { ack, body, driver } from '../../attribution/packet-delays.js'
import { qdisc } from '../../attribution/queue-delay.js'
import { recv } from '../../attribution/service-delays.js'
import { createWorld } from '../../attribution/world.js'
import { kernelTest } from '../../kernel/support/kernel-test.js'
import { assertOrder } from './assert-order.js'

/** Runs in the machine: what takes the client's end of the wire as well, on a virtual wire between two namespaces. */
const INJECTIONS: Injection[] = [driver, steer, idleExit, recv, body, qdisc, ack]

for (const injection of INJECTIONS) {
  kernelTest(
    `what grows most is ${injection.stage}, by ${injection.by}`,
    async t => assertOrder(await createWorld(t), injection),
    ...['memcached', 'ip', 'tc', 'taskset'],
  )
}
