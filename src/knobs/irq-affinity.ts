import { formatCpuList, parseCpuList } from '../system/cpu-list.js'
import { isOffered, readEffectiveAffinity, readInterrupts } from '../system/interrupts.js'
import type { NicIrq } from '../system/nics.js'
import { CPU_VALUES, checkCpus, findIrq, resolveCpus } from './cpu-values.js'
import { type Change, type Knob, type Look, Unavailable } from './knob.js'
import { requireNics } from './nic-places.js'
import { listDeafBalancers } from './places/irqbalance.js'
import { keepPresent } from './present.js'
import { chooseIrqs } from './queue-irqs.js'
import { noEffect, watchFor } from './watching.js'

const readCounts = (irq: number): Map<number, number> =>
  readInterrupts().find(interrupt => interrupt.irq === irq)?.counts ?? new Map()

/** Tells by where the interrupt goes, and by who has handled it since. */
const watch = async ({ place, to }: Change): Promise<Look> => {
  const irq = findIrq(place)
  if (irq === null)
    return async () => ({ state: 'verified', evidence: 'irqbalance lists it among those it leaves alone' })
  const wanted = parseCpuList(to)
  return async signal => {
    const before = readCounts(irq)
    const moved = (): [number, number][] =>
      [...readCounts(irq)].map(([cpu, count]) => [cpu, count - (before.get(cpu) ?? 0)])
    const sum = (isWanted: boolean): number =>
      moved().reduce((all, [cpu, count]) => (wanted.includes(cpu) === isWanted ? all + count : all), 0)
    return watchFor(
      () => (sum(true) > 0 ? { state: 'verified', evidence: `interrupt ${irq} comes to CPU ${to}` } : null),
      () => {
        // One may have been under way when it was moved.
        if (sum(false) > 1) return noEffect(`interrupt ${irq} still comes to other CPUs`)
        const effective = readEffectiveAffinity(irq)
        if (effective === null)
          return { state: 'written', evidence: `interrupt ${irq} did not come meanwhile` }
        return effective.every(cpu => wanted.includes(cpu))
          ? {
              state: 'verified',
              evidence: `the kernel sends interrupt ${irq} to CPU ${formatCpuList(effective)}`,
            }
          : { state: 'written', evidence: `interrupt ${irq} did not come meanwhile, and moves when it does` }
      },
      signal,
    )
  }
}

/** A single interrupt may go to any of the CPUs; of several each gets one, what is of the same queue the same. */
const shareOut = (irqs: readonly NicIrq[], cpus: readonly number[]): { irq: number; to: string }[] => {
  const queues = [...new Set(irqs.map(({ irq, queue }) => queue ?? `irq ${irq}`))]
  return irqs.map(({ irq, queue }) => ({
    irq,
    to:
      queues.length === 1
        ? formatCpuList(cpus)
        : String(cpus[queues.indexOf(queue ?? `irq ${irq}`) % cpus.length]),
  }))
}

const FIXED = 'the kernel lets nobody move the interrupts of the network device'

export const irqAffinity: Knob = {
  name: 'irq.affinity',
  about: 'Which CPUs take the interrupts of the network card.',
  where: '/proc/irq/N/smp_affinity_list',
  default: 'all CPUs, of which the kernel or irqbalance chooses one',
  values: `${CPU_VALUES}; several interrupts get one CPU each, in turn`,
  helps: '`runqueue` or `app_wait` is high on the CPU that also takes the interrupts, or `irq` is high.',
  harms:
    'Too few CPUs for the packets; the driver moves it back when the link goes down and up. Some chips refuse it. irqbalance is told to leave it alone, and forgets that when it is restarted.',
  effect: '`effective_affinity_list`, and the counts of /proc/interrupts growing on the new CPU.',
  selector: 'nic',
  check: value => checkCpus(value),
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const cpus = resolveCpus(value, selection)
    const irqs = nics.map(chooseIrqs)
    if (irqs.flat().length === 0) throw new Unavailable('the network device has no interrupt of its own')
    const shares = irqs.flatMap(each =>
      shareOut(
        each.filter(({ irq }) => isOffered(irq)),
        cpus,
      ),
    )
    if (shares.length === 0) throw new Unavailable(FIXED)
    const moves = shares.map(({ irq, to }) => ({
      place: { kind: 'file', path: `/proc/irq/${irq}/smp_affinity_list`, form: 'list' } as const,
      to,
    }))
    return [
      // Before it is moved: irqbalance, where it runs, would move it back.
      ...shares.map(({ irq }) => ({ place: { kind: 'irqbalance', irq } as const, to: 'banned' })),
      ...(await keepPresent(moves, FIXED)),
    ]
  },
  watch,
  warn: () => {
    const deaf = listDeafBalancers()
    return deaf.length === 0
      ? null
      : `irqbalance (${deaf.join(', ')}) runs and can't be told to leave the interrupts alone, for it has no socket in /run/irqbalance: it may move them back (try: systemctl restart irqbalance, or stop it)`
  },
}
