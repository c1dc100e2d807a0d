import test from 'ava'
import type { MeasureDocument } from '../../../src/latency/document.js'
import { STAGES, type StageName } from '../../../src/latency/stages.js'
import { startMemcachedOn } from '../../attribution/services.js'
import { assertExact, assertNear, requestsOf, spreadMean } from '../../kernel/support/assertions.js'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { startProcess } from '../../kernel/support/processes.js'
import { runTaut, startMeasuring, TAUT } from '../../kernel/support/taut.js'
import { startWithoutBtf, withholdBtf } from '../../kernel/support/without-btf.js'
import { type Ends, findMachine, prepareCard } from './world.js'

/**
 * Runs in the machine, behind its card: taut with the kernel's BTF, and with that in a file and the kernel's withheld. The
 * environment has the card's ends.
 */
const ends: Ends = JSON.parse(process.env.TAUT_LAB_ENDS ?? '')

/** For longer than until the third sample of the overheads, of which there are a few in half a minute. */
const LOAD = { requests: 2500, rate: 100, connections: 1 } as const
const WINDOWS = 3

test.before('gives the card its address', () => prepareCard(ends))

kernelTest(
  'numbers by a BTF file are those by the BTF of the kernel',
  async t => {
    const machine = await findMachine(t, ends)
    const { port } = await startMemcachedOn(machine, machine.serviceCpu)
    const send = await machine.connectClient({ port, host: machine.host, ...LOAD })
    const without = await startWithoutBtf(t, '--port', port)
    const beside = await startMeasuring(t, '--port', port)
    await send()
    const [file, own] = [await without.stop(), await beside.stop()]
    for (const document of [file, own]) {
      // Emulated, an interrupt often comes while a probe runs; that is told, and no request is left out for it.
      assertExact(t, { ...document, lost: { ...document.lost, recursion: 0 } }, LOAD.requests)
      t.log(
        document.stages.map(({ name, requests, mean_us }) => `${name} ${requests} × ${mean_us}`).join(', '),
      )
    }
    assertSameStages(t, file, own)
    assertSameCalls(t, file, own)
  },
  'memcached',
  'unshare',
)

/** A request meets more probes than this of each, so that what all of them take is as many times what one does. */
const PROBES = 10

/** Whether these are there is for the service's CPU, which goes to sleep and wakes by itself, to say. */
const BY_OTHER_CPU: readonly StageName[] = ['idle_exit', 'runqueue']

/**
 * Both have looked at the same requests, one after the other at each point: no further apart than what a probe takes, and
 * without what the kernel has left out of one because a probe came on top of itself. Where the service's CPU wakes, by a timer
 * of its own, between the two looks at a packet, it was awake for one of them only: of once a request, the share of its time
 * that a probe takes.
 */
const assertSameStages = (t: Context, file: MeasureDocument, own: MeasureDocument): void => {
  const missed = file.lost.recursion + own.lost.recursion
  const takenUs =
    [file, own].reduce((sum, { cost }) => sum + (cost.bpf_ns_per_request ?? Number.NaN), 0) / 1000
  t.log(`${missed} runs left out, ${takenUs} µs a request taken by the probes`)
  t.true(requestsOf(own, 'irq') > 0)
  const probeUs = takenUs / PROBES
  const between = Math.ceil((LOAD.requests * LOAD.rate * probeUs) / 1e6)
  for (const name of STAGES) {
    const apart = missed + (BY_OTHER_CPU.includes(name) ? between : 0)
    assertNear(t, requestsOf(file, name), requestsOf(own, name), apart, `requests with ${name}`)
    assertNear(t, spreadMean(file, name), spreadMean(own, name), probeUs, name)
  }
}

/** A sample begins or ends in the middle of a request in each of its windows. */
const assertSameCalls = (
  t: Context,
  { overheads: file }: MeasureDocument,
  { overheads: own }: MeasureDocument,
): void => {
  const said = JSON.stringify([file, own])
  const cut = WINDOWS / (file.sample?.requests ?? 0) + WINDOWS / (own.sample?.requests ?? 0)
  t.true(cut < 0.1, said)
  const numbers = ({
    syscalls,
    context_switches_per_request: switches,
    ...rest
  }: typeof file): Map<string, number> =>
    new Map([
      ...(syscalls ?? []).map(({ name, per_request }) => [name, per_request] as const),
      ['voluntary', switches?.voluntary ?? Number.NaN],
      ['epoll', rest.epoll_wakeups_per_request ?? Number.NaN],
      ['events', rest.events_per_wakeup ?? Number.NaN],
      ['packets a poll', rest.packets_per_poll ?? Number.NaN],
      ['packets an interrupt', rest.packets_per_interrupt ?? Number.NaN],
    ])
  const [a, b] = [numbers(file), numbers(own)]
  // A call that comes once, as at the end of a connection, may be in the windows of only one of the two.
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const other = b.get(name) ?? 0
    assertNear(t, a.get(name) ?? 0, other, cut * Math.max(1, other), `${name}: ${said}`)
  }
  for (const name of ['packet_ns', 'vfs_recv_ns', 'vfs_ns', 'ready_to_return_us'] as const)
    t.true((file[name] ?? 0) > 0 && (own[name] ?? 0) > 0, name)
}

/** Iterators, which only the kernel's BTF has types for, and what does their work without. */
const OF_ONE = /^(?:iter\/|sched\/sched_process_exit$)/

kernelTest(
  'doctor finds by a BTF file what it finds by the BTF of the kernel',
  async t => {
    const { by, file } = await withholdBtf(t)
    const [program = '', ...before] = by
    const args = [...before, process.execPath, TAUT, 'doctor', '--json', '--btf', file]
    const endings = [
      await (await startProcess(t, program, args)).ended,
      await runTaut(t, ['doctor', '--json']),
    ]
    const [withFile, withOwn] = endings.map(({ code, stdout, stderr }) => {
      t.is(code, 0, stderr)
      const { checks, loads, probes, overhead_probes } = JSON.parse(stdout)
      const tell = ({ name, point, ok }: { name?: string; point?: string; ok: boolean }) =>
        `${name ?? point}: ${ok}`
      const shared = probes.filter(({ point }: { point: string }) => !OF_ONE.test(point))
      t.true(shared.length > 10 && loads.length === 5)
      t.true(
        loads.every(({ ok }: { ok: boolean }) => ok),
        JSON.stringify(loads),
      )
      // Some points have several programs.
      return [checks, loads, shared, overhead_probes].map(list => [...new Set<string>(list.map(tell))].sort())
    })
    t.deepEqual(withFile, withOwn)
  },
  'unshare',
)
