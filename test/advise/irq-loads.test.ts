import test from 'ava'
import { type IrqReading, irqLoadsBetween } from '../../src/advise/irq-loads.js'

const reading = (counts: [number, number][], wanted: number[], effective: number[] | null): IrqReading => ({
  interrupts: [{ irq: 24, name: 'eth0', counts: new Map(counts) }],
  affinities: new Map([[24, { wanted, effective }]]),
})
const IRQS = [{ irq: 24, name: 'eth0', queue: 0, direction: null }]
const BOTH: [number, number][] = [
  [0, 100],
  [1, 50],
]

test('what came meanwhile counts, at each CPU, and where it went before and after', t => {
  const before = reading(BOTH, [0, 1], [0])
  const after = reading(
    [
      [0, 130],
      [1, 50],
    ],
    [1],
    [1],
  )
  t.deepEqual(irqLoadsBetween(IRQS, before, after), [
    { irq: 24, name: 'eth0', cpus: [1], cpusBefore: [0], counts: [[0, 30]] },
  ])
})

test('where the kernel does not tell where it goes, it is where it may go', t => {
  const [load] = irqLoadsBetween(IRQS, reading(BOTH, [0, 1], null), reading(BOTH, [0], null))
  t.deepEqual([load?.cpusBefore, load?.cpus, load?.counts], [[0, 1], [0], []])
})

test('what was not there before has not moved', t => {
  const [load] = irqLoadsBetween(IRQS, { interrupts: [], affinities: new Map() }, reading([[1, 7]], [1], [1]))
  t.deepEqual([load?.cpusBefore, load?.cpus, load?.counts], [[1], [1], [[1, 7]]])
})
