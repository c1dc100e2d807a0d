import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { OverheadSampler } from '../../../src/probes/overhead-sampler.js'
import { readInterrupts } from '../../../src/system/interrupts.js'
import { readReceived } from '../../../src/system/net-dev.js'
import { listServices } from '../../../src/system/services.js'
import { resolveTarget } from '../../../src/system/target.js'
import { DELAY_US, REQUESTS as DELAYED, type Injection } from '../../attribution/injection.js'
import { measureDelayed } from '../../attribution/measure.js'
import { protocol } from '../../attribution/packet-delays.js'
import { attachDelays } from '../../attribution/programs.js'
import { startMemcachedOn } from '../../attribution/services.js'
import { type Machine, WIRE } from '../../attribution/world.js'
import { assertExact, assertNear, requestsOf, spreadMean } from '../../kernel/support/assertions.js'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { startMeasuring } from '../../kernel/support/taut.js'
import { type Ends, findMachine, prepareCard } from './world.js'

/**
 * Runs in the machine, behind its card: what taut says of the card's interrupts and packets beside what the kernel counts of them
 * without any probe. The environment has the card's ends.
 */
const ends: Ends = JSON.parse(process.env.TAUT_LAB_ENDS ?? '')
const run = promisify(execFile)

/** What the kernel has counted of the card: interrupts for what it received, and packets. */
type CardCounts = { interrupts: number; packets: number }

const readCard = (): CardCounts => {
  const receive = readInterrupts().filter(({ name }) => name === `${WIRE}-rx-0`)
  const interrupts = receive
    .flatMap(({ counts }) => [...counts.values()])
    .reduce((sum, count) => sum + count, 0)
  return { interrupts, packets: readReceived().get(WIRE) ?? Number.NaN }
}

const subtract = (after: CardCounts, before: CardCounts): CardCounts => ({
  interrupts: after.interrupts - before.interrupts,
  packets: after.packets - before.packets,
})

test.before('gives the card its address', () => prepareCard(ends))

const REQUESTS = 600
const RATE = 50

kernelTest(
  'a request that comes alone comes by an interrupt, of which the kernel counts as many',
  async t => {
    const machine = await findMachine(t, ends)
    const { port } = await startMemcachedOn(machine, machine.serviceCpu)
    const load = { port, host: machine.host, requests: REQUESTS, rate: RATE, connections: 1 }
    const send = await machine.connectClient(load)
    const measurement = await startMeasuring(t, '--port', port)
    const before = readCard()
    await send()
    const card = subtract(readCard(), before)
    const document = await measurement.stop()
    assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
    const irq = requestsOf(document, 'irq')
    const { packets_per_interrupt } = document.overheads
    const said = JSON.stringify({ irq, card, packets_per_interrupt })
    t.log(said)
    t.true(irq <= card.interrupts && irq >= REQUESTS * 0.99, said)
    // Beside those of the requests only the client's first and last packets, and interrupts that came when all was fetched.
    t.true(card.packets >= REQUESTS && card.interrupts <= REQUESTS * 1.1, said)
    // Of some hundred packets in the sample.
    const ratio = card.packets / card.interrupts
    assertNear(t, packets_per_interrupt ?? Number.NaN, ratio, 0.1, 'packets per interrupt')
  },
  'memcached',
  'taskset',
)

const WINDOWS = 5

for (const us of [0, 5000]) {
  kernelTest(
    `packets per interrupt, of interrupts ${us} µs apart, are those that the kernel counts meanwhile`,
    async t => {
      await run('ethtool', ['-C', WIRE, 'rx-usecs', String(us)])
      const machine = await findMachine(t, ends)
      const { port } = await startMemcachedOn(machine, machine.serviceCpu)
      const load = { port, host: machine.host, requests: 60_000, rate: 1000, connections: 16 }
      const send = await machine.connectClient(load)
      const [target] = resolveTarget({ port }, await listServices())
      if (target === undefined) throw new Error('nothing listens')
      using sampler = new OverheadSampler(target, { kind: 'tp_btf' })
      // It is interrupted at the end.
      void send().catch(() => undefined)
      const card: CardCounts = { interrupts: 0, packets: 0 }
      for (let window = 0; window < WINDOWS; window++) {
        // Asked for right after a window opens, and again right after it is closed.
        const counts: CardCounts[] = []
        await sampler.sample(() => {
          counts.push(readCard())
          return 0
        }, false)
        const [first, last] = [counts.at(0), counts.at(-1)]
        if (first === undefined || last === undefined) throw new Error('no window')
        const more = subtract(last, first)
        card.interrupts += more.interrupts
        card.packets += more.packets
      }
      const sample = sampler.read()
      const said = JSON.stringify({
        card,
        packets: sample?.card_packets,
        interrupts: sample?.card_interrupts,
      })
      t.log(said)
      // Some packets come between a window's begin or end and the reading of the counts.
      const names = ['interrupts', 'packets'] as const
      for (const name of names)
        assertNear(t, sample?.[`card_${name}`] ?? Number.NaN, card[name], card[name] / 100, said)
      t.true(us === 0 || card.packets / card.interrupts > 2, said)
    },
    'memcached',
    'ethtool',
    'taskset',
  )
}

/** The card waits for so long that the requests of all connections come together; the driver takes so long for each packet. */
const [TOGETHER_US, HAND_OVER_US] = [10_000, 2000]

kernelTest(
  'of packets that a driver hands over one after the other, and protocols get together, each waits in steer for those behind it',
  async t => {
    await run('ethtool', ['-C', WIRE, 'rx-usecs', String(TOGETHER_US)])
    const machine = await findMachine(t, ends)
    const { port } = await startMemcachedOn(machine, machine.serviceCpu)
    const place = { program: 'delay_hand_over', hook: 'tracepoint' } as const
    const delay = await attachDelays(machine, machine.server, { port, delayUs: HAND_OVER_US }, place)
    const send = await machine.connectClient({ port, host: machine.host, requests: 400, connections: 4 })
    const measurement = await startMeasuring(t, '--port', port)
    await send()
    const document = await measurement.stop()
    const { times } = await delay.end()
    const [driver, steer] = [spreadMean(document, 'driver'), spreadMean(document, 'steer')]
    t.log(`${times} packets, ${driver.toFixed(0)} µs in driver and ${steer.toFixed(0)} in steer`)
    t.true(times >= document.requests)
    // The first of a pair has the other's delay in steer, which as the last has none there.
    t.true(driver > HAND_OVER_US, `${driver}`)
    t.true(steer > HAND_OVER_US / 2, `${steer}`)
  },
  'memcached',
  'ethtool',
  'taskset',
)

/** The bridge's and the container's, as Docker has it: the machine routes between its card and the bridge. */
const [GATEWAY, CONTAINER] = ['198.51.100.1', '198.51.100.2']
const CONTAINER_NETNS = 'taut-container'

const createContainer = async (t: Context): Promise<void> => {
  await run('sh', [
    '-ec',
    `ip netns add ${CONTAINER_NETNS}
    ip link add bridge type bridge
    ip addr add ${GATEWAY}/24 dev bridge
    ip link set bridge up
    ip link add virtual type veth peer name ${WIRE} netns ${CONTAINER_NETNS}
    ip link set virtual master bridge up
    ip -n ${CONTAINER_NETNS} addr add ${CONTAINER}/24 dev ${WIRE}
    ip -n ${CONTAINER_NETNS} link set ${WIRE} up
    ip -n ${CONTAINER_NETNS} route add default via ${GATEWAY}
    sysctl -qw net.ipv4.ip_forward=1`,
  ])
  t.teardown(() => run('sh', ['-ec', `ip netns delete ${CONTAINER_NETNS}; ip link delete bridge`]))
}

kernelTest(
  'of a service in a container, behind a bridge and a virtual wire, each request begins where it comes off that wire',
  async t => {
    await createContainer(t)
    const card = await findMachine(t, ends)
    const container: Machine = {
      ...card,
      server: CONTAINER_NETNS,
      host: CONTAINER,
      connectClient: load => card.connectClient({ ...load, host: CONTAINER }),
    }
    // In the softirq in which the card's packets are fetched, before they are routed.
    const onCard: Injection<Machine> = {
      ...protocol,
      start: async (machine, delayUs) => {
        const service = await startMemcachedOn(machine, machine.serviceCpu)
        const place = { program: 'delay_request', hook: 'ingress', device: WIRE } as const
        const delay = await attachDelays(machine, card.server, { port: service.port, delayUs }, place)
        const end = async (): Promise<number> => {
          const { sumNs, times } = await delay.end()
          t.is(times, DELAYED)
          await service.end()
          return Number(sumNs)
        }
        return { ...service, load: {}, end }
      },
    }
    const [base, delayed] = [
      await measureDelayed(container, onCard, 0),
      await measureDelayed(container, onCard, DELAY_US),
    ]
    t.true((delayed.injectedNs - base.injectedNs) / DELAYED > DELAY_US * 900)
    for (const { document } of [base, delayed]) {
      assertExact(t, { ...document, pipelined: 0, lost: { ...document.lost, recursion: 0 } }, DELAYED)
      t.log(document.stages.map(({ name, mean_us }) => `${name} ${mean_us} µs`).join(', '))
      t.is(requestsOf(document, 'irq'), 0)
      t.is(requestsOf(document, 'steer'), 0)
      t.is(requestsOf(document, 'driver'), DELAYED)
    }
    // What the card's softirq takes before is not in the total.
    for (const name of ['driver', 'protocol'] as const) {
      const more = spreadMean(delayed.document, name) - spreadMean(base.document, name)
      t.true(more < DELAY_US / 10, `${name} ${more}`)
    }
  },
  'memcached',
  'ip',
  'taskset',
)
