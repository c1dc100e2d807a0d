import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test from 'ava'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { startMemcached } from '../../kernel/support/services.js'
import { runTaut } from '../../kernel/support/taut.js'
import { moveInterrupts, setCoalescing, setGovernor, setRight } from './hardware.js'
import { ADDRESS, prepareCard } from './settings.js'

/**
 * Runs in the machine, behind an e1000e card, with frequencies from an ACPI table. The clients are outside. What is wrong has to
 * be named, with what would help.
 */
const run = promisify(execFile)

/** Where the service is. */
const CPU = 1

/** A hundred requests a second are enough to advise by then. */
const TIME = '15s'

type Advice = { rule: string; finding: string; settings: { knob: string; value: string; nic?: string }[] }

let port = 0

const advise = async (t: Context): Promise<Advice[]> => {
  const { code, stdout, stderr } = await runTaut(t, ['advise', '--port', port, '--for', TIME, '--json'])
  t.is(code, 0, stderr)
  const { advice } = JSON.parse(stdout)
  t.log(advice.map(({ rule, finding }: Advice) => `${rule}: ${finding}`).join('\n'))
  return advice
}

const TROUBLES = {
  'slow-governor': { plant: () => setGovernor('powersave'), knob: 'cpu.governor', value: 'performance' },
  'lazy-coalescing': { plant: () => setCoalescing(500), knob: 'nic.coalesce', value: /rx-usecs=0/ },
  'irqs-elsewhere': { plant: () => moveInterrupts(CPU), knob: 'irq.affinity', value: '0' },
} as const

kernelTest(
  'what is wrong with the machine is named, with what would help, and nothing of it where it is right',
  async t => {
    await prepareCard()
    const service = await startMemcached(t, ['-t', '1'], { host: ADDRESS })
    await run('taskset', ['-apc', String(CPU), String(service.pid)])
    port = service.port
    // Whoever has booted the machine sends requests from now on.
    process.stdout.write(`serves ${port}\n`)
    await setRight()
    const found = (await advise(t)).map(({ rule }) => rule)
    t.deepEqual(
      found.filter(rule => rule in TROUBLES),
      [],
    )
    for (const [rule, { plant, knob, value }] of Object.entries(TROUBLES)) {
      await setRight()
      await plant()
      const advice = await advise(t)
      const setting = advice.find(each => each.rule === rule)?.settings[0]
      t.is(setting?.knob, knob, `${rule}: ${JSON.stringify(advice)}`)
      t.regex(setting?.value ?? '', new RegExp(value), rule)
      t.deepEqual(
        advice.map(each => each.rule).filter(other => other !== rule && other in TROUBLES),
        [],
      )
    }
  },
  'memcached',
  'ethtool',
)

test.after.always('puts the machine right', setRight)
