import { formatCpuList, parseCpuList } from '../system/cpu-list.js'
import { readAffinity } from '../system/interrupts.js'
import { type Change, InvalidValue, type Selection, Unavailable } from './knob.js'
import { chooseIrqs } from './queue-irqs.js'

/** The words for CPUs, for people. */
export const CPU_VALUES =
  'CPUs as 0-2,5, or all, first, irq (where the interrupts of the network go), not-irq'

/** What names CPUs, as a pattern. */
export const CPU_PATTERN = /^(?:all|first|irq|not-irq|\d{1,4}(?:-\d{1,4})?(?:,\d{1,4}(?:-\d{1,4})?)*)$/

/** Throws an InvalidValue when a value is neither CPUs nor one of some words. */
export const checkCpus = (value: string, ...words: string[]): void => {
  if (!words.includes(value) && !CPU_PATTERN.test(value)) throw refuseCpus(value)
}

const refuseCpus = (value: string): InvalidValue =>
  new InvalidValue(`'${value}' names no CPUs (try ${CPU_VALUES})`)

/** What of a selection the words for CPUs go by. */
export type CpuFacts = Pick<Selection, 'online' | 'nics' | 'moves'>

/**
 * Gives the CPUs that a value names, never none of them and only ones that are online. Throws an InvalidValue that says
 * what is wrong, and an Unavailable where the interrupts' CPUs can't be told.
 */
export const resolveCpus = (value: string, facts: CpuFacts): number[] => {
  const { online } = facts
  const cpus = listCpus(value, facts)
  const offline = cpus.filter(cpu => !online.includes(cpu))
  if (offline.length > 0)
    throw new InvalidValue(`CPU ${formatCpuList(offline)} is not online (try among ${formatCpuList(online)})`)
  if (cpus.length === 0)
    throw new InvalidValue(
      `'${value}' leaves no CPU: interrupts of the network card may go to all ${online.length} that are online (try irq.affinity=first before it, or a list)`,
    )
  return cpus
}

const listCpus = (value: string, facts: CpuFacts): number[] => {
  const { online } = facts
  if (value === 'all') return [...online]
  if (value === 'first') return online.slice(0, 1)
  if (value === 'irq') return listIrqCpus(value, facts)
  if (value === 'not-irq') {
    const taken = listIrqCpus(value, facts)
    return online.filter(cpu => !taken.includes(cpu))
  }
  try {
    return parseCpuList(value)
  } catch {
    throw refuseCpus(value)
  }
}

/** Where the interrupts of the cards' packets go: where they are planned to, really go or, if the kernel does not tell, may go. */
const listIrqCpus = (value: string, { nics, moves }: CpuFacts): number[] => {
  const cpus = nics.flatMap(chooseIrqs).flatMap(({ irq }) => {
    const affinity = readAffinity(irq)
    return moves.get(irq) ?? affinity?.effective ?? affinity?.wanted ?? []
  })
  if (cpus.length === 0)
    throw new Unavailable(
      `'${value}' can't be told: no interrupt of the network card is known (try a list as 0-2)`,
    )
  return [...new Set(cpus)].sort((a, b) => a - b)
}

const AFFINITY_FILE = /^\/proc\/irq\/(\d{1,6})\/smp_affinity_list$/

/** Gives the interrupt that a place is the affinity of; null of other places. */
export const findIrq = (place: Change['place']): number | null => {
  const irq = place.kind === 'file' ? AFFINITY_FILE.exec(place.path)?.[1] : undefined
  return irq === undefined ? null : Number(irq)
}

/** Gives where interrupts will go once changes are made. */
export const listMoves = (changes: readonly Change[]): Map<number, number[]> =>
  new Map(
    changes.flatMap(({ place, to }): [number, number[]][] => {
      const irq = findIrq(place)
      return irq === null ? [] : [[irq, parseCpuList(to)]]
    }),
  )
