import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { attachDelays } from '../../attribution/programs.js'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { type Service, startMemcached, startServiceAt } from '../../kernel/support/services.js'
import { runTaut } from '../../kernel/support/taut.js'
import type { TuneDocument } from '../../trouble/world.js'
import { moveInterrupts, setCoalescing, setGovernor, setRight } from './hardware.js'
import { ADDRESS, NETNS, NIC, prepareCard, takeAll } from './settings.js'

/**
 * Runs in the machine, behind an e1000e card, with frequencies from an ACPI table. The clients are outside. A machine that is set wrong
 * in the way that the environment names has to be set right.
 */
type Trouble = {
  start: (t: Context) => Promise<Service>
  /** What is right besides. */
  prepare?: () => Promise<void>
  plant: () => Promise<void>
  knob: string
  to: RegExp
  why: RegExp
}

/** Where the service is. */
const CPU = 1
/** With so few requests a second slices are long. */
const TIME = '6m'
/** Of the 99th percentile that the good setting had, what it is cured by may have so many times as much. */
const NEAR = 1.1
/** Emulated, a request takes longer than ten times what it takes elsewhere, and so the card has to wait for longer to be in the way. */
const WAIT_US = 10_000
/**
 * How long a request is computed at: long beside what the interrupts cost that the card leaves out; and, with what a firewall of many
 * rules takes for it, and what emulated interrupts do, so long that one CPU has no room for both.
 */
const COMPUTE_US = { coalescing: 2000, interrupts: 1000 }
const FIREWALL_US = 1500

const startComputing = (t: Context, us: number): Promise<Service> =>
  startServiceAt(t, { host: ADDRESS }, '--place', 'app_cpu', '--delay-us', us)

const TROUBLES: Readonly<Record<string, Trouble>> = {
  governor: {
    start: t => startMemcached(t, ['-t', '1'], { host: ADDRESS }),
    // Emulated, it takes long to wake a thread of another CPU, and a light load is best off on one.
    prepare: () => moveInterrupts(CPU),
    plant: () => setGovernor('powersave'),
    knob: 'cpu.governor',
    to: /^performance$/,
    why: /^the governor powersave has the CPUs run slower/,
  },
  coalescing: {
    start: t => startComputing(t, COMPUTE_US.coalescing),
    plant: () => setCoalescing(WAIT_US),
    knob: 'nic.coalesce',
    to: /^\d{1,2}$/,
    why: /^eth0 waits up to 10000 µs with its interrupt/,
  },
  interrupts: {
    start: async t => {
      const service = await startComputing(t, COMPUTE_US.interrupts)
      const firewall = { program: 'delay_request', device: NIC, hook: 'ingress' } as const
      await attachDelays({ t, serviceCpu: CPU }, NETNS, { ...service, delayUs: FIREWALL_US }, firewall)
      return service
    },
    plant: () => moveInterrupts(CPU),
    knob: 'irq.affinity',
    to: /^0$/,
    why: /^interrupts of eth0 come to CPU 1, where the service runs/,
  },
}

kernelTest(
  'what is wrong with the machine is cured, and where nothing is, nothing is changed',
  async t => {
    t.timeout(20 * 60_000)
    const trouble = TROUBLES[process.env.TAUT_LAB_TROUBLE ?? '']
    if (trouble === undefined) throw new Error('no trouble')
    await prepareCard()
    await setRight()
    await trouble.prepare?.()
    const { pid, port } = await trouble.start(t)
    await promisify(execFile)('taskset', ['-apc', String(CPU), String(pid)])
    // Whoever has booted the machine sends requests from now on.
    process.stdout.write(`serves ${port}\n`)
    const tune = async (): Promise<TuneDocument> => {
      const { code, stdout, stderr } = await runTaut(t, ['tune', '--port', port, '--for', TIME, '--json'])
      t.is(code, 0, stderr)
      t.log(stderr, stdout)
      return JSON.parse(stdout)
    }
    const good = await takeAll([pid])
    const right = await tune()
    t.deepEqual(right.kept, [])
    t.is(await takeAll([pid]), good)

    await trouble.plant()
    const { kept, trials, after } = await tune()
    // In several places: each CPU has a governor, and each of the card's queues an interrupt.
    t.deepEqual([...new Set(kept.map(({ knob }) => knob))], [trouble.knob], JSON.stringify(trials))
    for (const { to } of kept) t.regex(to, trouble.to)
    for (const { why } of trials.filter(({ decision }) => decision === 'kept')) t.regex(why, trouble.why)
    // Where it has what it had, it is as good.
    if ((await takeAll([pid])) !== good) {
      const [was, is] = [right.before?.p99_us ?? Number.NaN, after?.p99_us ?? Number.NaN]
      t.true(is <= NEAR * was, `${is} us, and ${was} us with the good setting`)
    }
  },
  'memcached',
  'ethtool',
  'taskset',
)

test.after.always('puts the machine right', setRight)
