import test from 'ava'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { type Running, startProcess } from '../../kernel/support/processes.js'
import { startMemcached } from '../../kernel/support/services.js'
import { runTaut } from '../../kernel/support/taut.js'
import { waitFor } from '../../kernel/support/wait.js'
import { NIC, prepareCard, read, startTraffic, takeAll, taut, tryOut } from './settings.js'

/** Runs in the machine of two CPUs, behind a virtio card of two queues, each with interrupts of its own. */
const QUEUES = [0, 1]

test.before('gives the card its address', prepareCard)

/** The interrupt of what a queue receives, and how often each CPU has handled it. */
const readInput = async (queue: number): Promise<{ irq: string; counts: number[] }> => {
  const line = new RegExp(`^ *(\\d+):((?: +\\d+)+) .*-input\\.${queue}$`, 'm')
  const [, irq = '', counts = ''] = line.exec(await read('/proc/interrupts')) ?? []
  return { irq, counts: counts.trim().split(/ +/).map(Number) }
}

/** Waits until the interrupts of all queues have come to CPUs, and asserts that they come nowhere else meanwhile. */
const assertComesTo = async (t: Context, listCpus: (queue: number) => readonly number[]): Promise<void> => {
  const before = await Promise.all(QUEUES.map(readInput))
  const count = async (queue: number): Promise<[here: number, elsewhere: number]> => {
    const { counts } = await readInput(queue)
    const more = counts.map((now, cpu) => now - (before[queue]?.counts[cpu] ?? 0))
    const sum = (isHere: boolean): number =>
      more.reduce((all, each, cpu) => (listCpus(queue).includes(cpu) === isHere ? all + each : all), 0)
    return [sum(true), sum(false)]
  }
  for (const queue of QUEUES) {
    await waitFor(`interrupts of queue ${queue}`, async () => ((await count(queue))[0] > 5 ? true : null))
    // One may have been under way when it was moved.
    t.true((await count(queue))[1] <= 1, `queue ${queue}`)
  }
}

/** A driver sends by the queue of the CPU that sends, and what answers comes by the same one. */
const startTrafficOnAll = async (t: Context): Promise<void> => {
  for (const cpu of QUEUES) await startTraffic(t, cpu)
}

/** A service that has work all the time. */
const startBusyService = async (t: Context): Promise<Running & { port: number }> => {
  const service = await startMemcached(t, ['-t', '2'])
  const talk = `exec 7<>/dev/tcp/127.0.0.1/${service.port}; while printf 'version\\r\\n' >&7; do read -r <&7; read -rt 0.02; done`
  for (const _ of [1, 2]) await startProcess(t, 'bash', ['-c', talk])
  return service
}

kernelTest(
  'irq.affinity: the interrupts of both queues come to one CPU, and each to its own again',
  async t => {
    await startTrafficOnAll(t)
    await assertComesTo(t, queue => [queue])
    const before = await takeAll()
    const changes = await taut(t, 'apply', '--set', 'irq.affinity=1', '--nic', NIC, '--yes')
    const { irq } = await readInput(0)
    t.like(
      changes.find(({ where }) => where === `/proc/irq/${irq}/smp_affinity_list`),
      { to: '1', now: '1', state: 'verified', note: `interrupt ${irq} comes to CPU 1` },
    )
    t.false(changes.some(({ state }) => state === 'no-effect'))
    await assertComesTo(t, () => [1])
    // Shared out, one queue to each CPU.
    await tryOut(t, ['--set', 'irq.affinity=all'], () => assertComesTo(t, queue => [queue]))
    await assertComesTo(t, () => [1])
    await taut(t, 'revert')
    t.is(await takeAll(), before)
    await assertComesTo(t, queue => [queue])
  },
)

kernelTest('steering: packets are handed over, and every setting is as before', async t => {
  await startTrafficOnAll(t)
  await tryOut(t, ['steering'], async changes => {
    const steered = changes.filter(({ knob }) => knob === 'net.rps')
    t.is(steered.length, QUEUES.length)
    for (const { state, note } of steered) {
      t.is(state, 'verified')
      t.regex(note, /^CPU .* takes packets over$/)
    }
    t.deepEqual([...new Set(changes.map(({ knob }) => knob))], ['net.rps', 'net.rfs'])
    t.is(await read('/proc/sys/net/core/rps_sock_flow_entries'), '32768')
  })
})

kernelTest(
  'isolated-irq: interrupts of both queues on one CPU, the service on the other, and back',
  async t => {
    await startTrafficOnAll(t)
    const service = await startBusyService(t)
    await assertComesTo(t, queue => [queue])
    await tryOut(
      t,
      ['isolated-irq', '--port', String(service.port)],
      async changes => {
        const pinned = changes.filter(({ knob }) => knob === 'cpu.app_affinity')
        t.deepEqual(
          pinned.map(({ to, state }) => [to, state]),
          [['1', 'verified']],
        )
        await assertComesTo(t, () => [0])
        t.regex(await read(`/proc/${service.pid}/status`), /^Cpus_allowed_list:\s*1$/m)
      },
      [service.pid],
    )
  },
)

kernelTest('a service is not left without a CPU, nor interrupts sent to one that is not there', async t => {
  const service = await startMemcached(t)
  const port = ['--port', String(service.port)]
  for (const [setting, complaint, selectors] of [
    [
      'cpu.app_affinity=not-irq',
      /'not-irq' leaves no CPU: interrupts of the network card may go to all 2/,
      port,
    ],
    ['irq.affinity=2', /CPU 2 is not online \(try among 0-1\)/, []],
  ] as const) {
    const args = ['apply', '--set', setting, '--nic', NIC, ...selectors, '--yes']
    const { code, stderr } = await runTaut(t, args)
    t.is(code, 2)
    t.regex(stderr, complaint)
  }
  t.deepEqual(await taut(t, 'status'), [])
})
