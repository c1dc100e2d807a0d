import type { Affinity, Interrupt } from '../system/interrupts.js'
import type { NicIrq } from '../system/nics.js'
import type { IrqLoad } from './evidence.js'

/** What is known of interrupts at one moment: how often they came, and where those of network devices go. */
export type IrqReading = { interrupts: readonly Interrupt[]; affinities: ReadonlyMap<number, Affinity> }

/** Gives how often a device's interrupts came to each CPU between two readings, and where they went at both. */
export const irqLoadsBetween = (
  irqs: readonly NicIrq[],
  before: IrqReading,
  after: IrqReading,
): Omit<IrqLoad, 'isMovable' | 'isBanned'>[] =>
  irqs.map(({ irq, name }) => {
    const counts = after.interrupts.find(each => each.irq === irq)?.counts ?? new Map<number, number>()
    const earlier = before.interrupts.find(each => each.irq === irq)?.counts
    const cpus = cpusOf(after.affinities.get(irq))
    return {
      irq,
      name,
      cpus,
      // What came meanwhile, as a device does when its driver is loaded, did not go anywhere before.
      cpusBefore: before.affinities.has(irq) ? cpusOf(before.affinities.get(irq)) : cpus,
      counts: [...counts]
        .map(([cpu, count]): [number, number] => [cpu, count - (earlier?.get(cpu) ?? 0)])
        .filter(([, count]) => count > 0),
    }
  })

const cpusOf = (affinity: Affinity | undefined): number[] => affinity?.effective ?? affinity?.wanted ?? []
