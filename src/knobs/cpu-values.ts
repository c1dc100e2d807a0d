import { formatCpuList, parseCpuList } from '../system/cpu-list.js'
import { readEffectiveAffinity } from '../system/interrupts.js'
import type { Nic } from '../system/nics.js'
import { InvalidValue, type Selection } from './knob.js'

/** The words for CPUs, for people. */
export const CPU_VALUES =
  'CPUs as 0-2,5, or all, first, irq (where the interrupts of the network go), not-irq'

/**
 * Gives the CPUs that a value names, never none of them and only ones that are online. Throws an InvalidValue that says
 * what is wrong.
 */
export const resolveCpus = (
  value: string,
  { online, nics }: Pick<Selection, 'online' | 'nics'>,
): number[] => {
  const cpus = listCpus(value, online, nics)
  const offline = cpus.filter(cpu => !online.includes(cpu))
  if (offline.length > 0)
    throw new InvalidValue(`CPU ${formatCpuList(offline)} is not online (try among ${formatCpuList(online)})`)
  if (cpus.length === 0)
    throw new InvalidValue(`'${value}' leaves no CPU: all ${online.length} that are online take interrupts`)
  return cpus
}

const listCpus = (value: string, online: readonly number[], nics: readonly Nic[]): number[] => {
  const irqCpus = () => listIrqCpus(nics)
  if (value === 'all') return [...online]
  if (value === 'first') return online.slice(0, 1)
  if (value === 'irq') return irqCpus().length > 0 ? irqCpus() : refuseWithoutIrqs(value)
  if (value === 'not-irq') {
    const taken = irqCpus()
    return taken.length > 0 ? online.filter(cpu => !taken.includes(cpu)) : refuseWithoutIrqs(value)
  }
  try {
    return parseCpuList(value)
  } catch {
    throw new InvalidValue(`'${value}' names no CPUs (try ${CPU_VALUES})`)
  }
}

const refuseWithoutIrqs = (value: string): never => {
  throw new InvalidValue(
    `'${value}' can't be told: no interrupt of the network card is known (try a list as 0-2)`,
  )
}

/** The CPUs that the cards' interrupts really go to. */
const listIrqCpus = (nics: readonly Nic[]): number[] => {
  const cpus = nics.flatMap(({ irqs }) => irqs.flatMap(({ irq }) => readEffectiveAffinity(irq) ?? []))
  return [...new Set(cpus)].sort((a, b) => a - b)
}
