import { BpfObject } from 'libbpf-ts'
import { toBits } from '../../src/probes/bits.js'
import { loadOnly } from '../../src/probes/specialise.js'
import { RUN_PROGRAM, rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { startProcess } from './support/processes.js'

const MAX_IRQS = 4096
const NET_RX = 3
const IDLE_STATE = 1
/** Interrupts of two cards. */
const [ONE, OTHER] = [4000, 4001]

/** What the probes keep of a CPU, in bpf/context.h. */
type Cpu = { irq_ns: bigint; softirq_irq_ns: bigint }

/** Loads the probes of interrupts, attached nowhere: the test alone runs them. */
const loadProbes = (t: Context) => {
  const object = BpfObject.open(rootPath('dist/bpf/taut-raw.bpf.o'), { btfPath: '/sys/kernel/btf/vmlinux' })
  t.teardown(() => object.close())
  object.variable('nic_irqs').set(toBits([ONE, OTHER], MAX_IRQS))
  const programs = ['irq_handler_entry', 'softirq_entry', 'cpu_idle'].map(name => object.program(name))
  loadOnly(object, programs)
  const run = async (name: string, argument: number): Promise<Cpu> => {
    const { id } = object.program(name).info()
    const { code, stderr } = await (await startProcess(t, RUN_PROGRAM, [id, argument])).ended
    t.is(code, 0, stderr)
    const [cpu] = object.variable<Cpu[]>('cpus').get()
    if (cpu === undefined) throw new Error('no CPUs')
    return cpu
  }
  return {
    interrupt: (irq: number) => run('irq_handler_entry', irq),
    receive: () => run('softirq_entry', NET_RX),
    idle: () => run('cpu_idle', IDLE_STATE),
  }
}

kernelTest('of the interrupts before a softirq that receives, the first counts', async t => {
  const { interrupt, receive } = loadProbes(t)
  const { irq_ns } = await interrupt(ONE)
  t.true(irq_ns > 0n)
  await interrupt(OTHER)
  t.is((await receive()).softirq_irq_ns, irq_ns)
  t.is((await receive()).softirq_irq_ns, 0n, 'it led to one softirq only')
})

kernelTest('an interrupt that comes again has led to no softirq before', async t => {
  const { interrupt, receive } = loadProbes(t)
  const { irq_ns } = await interrupt(ONE)
  const again = await interrupt(ONE)
  t.true(again.irq_ns > irq_ns)
  t.is((await receive()).softirq_irq_ns, again.irq_ns)
})

kernelTest('a CPU that goes to sleep has no softirq to come, and no interrupt that leads to one', async t => {
  const { interrupt, idle, receive } = loadProbes(t)
  await interrupt(ONE)
  await idle()
  t.is((await receive()).softirq_irq_ns, 0n)
})
