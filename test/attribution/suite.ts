import test from 'ava'
import type { StageName } from '../../src/latency/stages.js'
import { assertNoFaults } from '../kernel/support/comparison.js'
import { type Context, kernelTest } from '../kernel/support/kernel-test.js'
import { listCpus } from '../kernel/support/scheduler.js'
import { type Attribution, attribute, compareRuns } from './compare.js'
import { idleExit, runqueue, steer } from './cpu-delays.js'
import { type Injection, REQUESTS } from './injection.js'
import { ack, body, driver, protocol, send } from './packet-delays.js'
import { buildPrograms } from './programs.js'
import { qdisc } from './queue-delay.js'
import { appCpu, appWait, dispatch, recv } from './service-delays.js'
import { formatTable, type Row } from './table.js'
import { createWorld } from './world.js'

/** In the order of the stages. */
const INJECTIONS = [
  ...[driver, steer, protocol, idleExit, runqueue, dispatch, recv, body, appCpu, appWait, send, qdisc, ack],
]

const FOUND_THERE = 0.95
const FOUND_ELSEWHERE = 0.05
const ROUNDS = 2
/** Of the requests of all runs, a hundredth. */
const MOST_OVERLAPPING = (ROUNDS * 4 * REQUESTS) / 100

/** By stage; of a comparison that is made again the last. */
const rows = new Map<StageName, Row>()

/** What is wrong with where the time was found; nothing, when nothing is. */
const findFaults = ({ there, elsewhere, most, overlapping }: Attribution): string[] => [
  ...(there < FOUND_THERE || there > 2 - FOUND_THERE ? ['there'] : []),
  ...(Math.abs(elsewhere) > FOUND_ELSEWHERE ? ['elsewhere'] : []),
  ...(Math.abs(most.share) > FOUND_ELSEWHERE ? [most.stage] : []),
  ...(overlapping > MOST_OVERLAPPING ? ['overlapping'] : []),
]

/**
 * Asserts that at least 95 % of the injected time are in the stage, and no more than 5 % too much; that all others
 * together moved by 5 % of it at most, and so did each of them.
 *
 * Threads of other containers can be hidden from tracing: a packet that is sent on top of one is not seen, and its request
 * overlaps with the next, which only the queueing discipline's timer does to a few in a thousand.
 */
const assertAttribution = async (t: Context, injection: Injection): Promise<void> => {
  const world = await createWorld(t)
  let attempt = 0
  await assertNoFaults(t, async () => {
    const attribution = attribute(injection.stage, await compareRuns(world, injection, ROUNDS))
    rows.set(injection.stage, { ...injection, ...attribution, attempt: ++attempt })
    const said = JSON.stringify(attribution)
    const faults = findFaults(attribution)
    return {
      faults: faults.length === 0 ? [] : [...faults, said],
      disturbance: attribution.disturbance > FOUND_ELSEWHERE / 2 ? said : null,
    }
  })
}

test.before('builds the programs that delay', buildPrograms)

for (const injection of INJECTIONS) {
  const title = `finds in ${injection.stage} what was injected there, and only there`
  const obstacle = listCpus().length < 2 ? 'needs two CPUs' : (injection.findObstacle?.() ?? null)
  if (obstacle === null)
    kernelTest(title, t => assertAttribution(t, injection), 'memcached', 'ip', 'tc', 'taskset', 'sysctl')
  else test.skip(`${title} (${obstacle})`, t => t.pass())
}

test.after.always('prints the table', () => {
  if (rows.size > 0) process.stdout.write(`\n${formatTable([...rows.values()])}\n`)
})
