import { RUN_PROGRAM, rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { startAnswering } from './support/processes.js'

const NET_RX = 3
const IDLE_STATE = 1
/** Interrupts of two cards. */
const [ONE, OTHER] = [4000, 4001]

/** What the probes keep of a CPU: times as numbers in text, 0 where there is none. */
type Cpu = { irq_ns: string; softirq_irq_ns: string }

/** Loads the probes of interrupts, attached nowhere: the test alone runs them. */
const loadProbes = async (t: Context) => {
  const program = rootPath('dist/test/kernel/fixtures/interrupt-probes.js')
  const args = [rootPath('dist/bpf/taut-raw.bpf.o'), RUN_PROGRAM, ONE, OTHER]
  const run = await startAnswering<Cpu>(t, program, args)
  return {
    interrupt: (irq: number) => run(`irq_handler_entry ${irq}`),
    receive: () => run(`softirq_entry ${NET_RX}`),
    idle: () => run(`cpu_idle ${IDLE_STATE}`),
  }
}

kernelTest('of the interrupts before a softirq that receives, the first counts', async t => {
  const { interrupt, receive } = await loadProbes(t)
  const { irq_ns } = await interrupt(ONE)
  t.not(irq_ns, '0')
  await interrupt(OTHER)
  t.is((await receive()).softirq_irq_ns, irq_ns)
  t.is((await receive()).softirq_irq_ns, '0', 'it led to one softirq only')
})

kernelTest('an interrupt that comes again has led to no softirq before', async t => {
  const { interrupt, receive } = await loadProbes(t)
  const { irq_ns } = await interrupt(ONE)
  const again = await interrupt(ONE)
  t.true(BigInt(again.irq_ns) > BigInt(irq_ns))
  t.is((await receive()).softirq_irq_ns, again.irq_ns)
})

kernelTest('a CPU that goes to sleep has no softirq to come, and no interrupt that leads to one', async t => {
  const { interrupt, idle, receive } = await loadProbes(t)
  await interrupt(ONE)
  await idle()
  t.is((await receive()).softirq_irq_ns, '0')
})
