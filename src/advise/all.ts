import { KNOBS } from '../knobs/all.js'
import type { Evidence } from './evidence.js'
import type { Finding, Rule } from './rule.js'
import { awayFromApp } from './rules/away-from-app.js'
import { busyPolling } from './rules/busy-polling.js'
import { deepIdle } from './rules/deep-idle.js'
import { hugePages } from './rules/huge-pages.js'
import { irqOnAppCpu } from './rules/irq-on-app-cpu.js'
import { irqbalanceMoves } from './rules/irqbalance.js'
import { irqsStay } from './rules/irqs-stay.js'
import { lazyCoalescing } from './rules/lazy-coalescing.js'
import { manyInterrupts } from './rules/many-interrupts.js'
import { neighbour } from './rules/neighbour.js'
import { oneCpuTakesAll } from './rules/one-cpu-takes-all.js'
import { ownTime } from './rules/own-time.js'
import { slowGovernor } from './rules/slow-governor.js'
import { squeezed } from './rules/squeezed.js'
import { steal } from './rules/steal.js'
import { steeredToBusyCpu } from './rules/steered-to-busy-cpu.js'
import { transmitQueue } from './rules/transmit-queue.js'

/** Every rule; of those that gain alike, the cheaper ones first. */
export const RULES: readonly Rule[] = [
  steal,
  ownTime,
  hugePages,
  squeezed,
  steeredToBusyCpu,
  awayFromApp,
  oneCpuTakesAll,
  neighbour,
  irqOnAppCpu,
  irqbalanceMoves,
  irqsStay,
  transmitQueue,
  lazyCoalescing,
  manyInterrupts,
  deepIdle,
  slowGovernor,
  busyPolling,
]

/** A finding with the name of its rule. */
export type Advice = Finding & { rule: string }

/** Too few requests tell nothing of the slowest 1 %. */
export const REQUESTS_TO_ADVISE = 1000

/**
 * Gives what all rules find: first what no setting can help against, then by the gain at p99 that is to be expected; those
 * that can't tell it come last, cheap ones first. What two rules would set alike is advised once.
 */
export const advise = (evidence: Evidence): Advice[] => {
  const found = RULES.flatMap(rule => {
    const finding = rule.find(evidence)
    return finding === null ? [] : [{ rule: rule.name, ...finding }]
  })
  const advised = new Set<string>()
  return found
    .toSorted((a, b) => rank(b) - rank(a))
    .filter(({ settings }) => {
      const key = settings.map(({ knob, value, nic }) => `${knob}=${value} ${nic}`).join()
      if (key !== '' && advised.has(key)) return false
      advised.add(key)
      return true
    })
}

const rank = ({ settings, gain }: Finding): number => (settings.length === 0 ? 2 : (gain?.p99 ?? 0))

/** Gives the commands to do it by taut, one a setting. */
export const commandsOf = ({ settings }: Finding): string[] =>
  settings.map(({ knob, value, nic, port }) => {
    const selector = KNOBS[knob].selector
    const nicOption = selector === 'nic' && nic !== undefined ? ` --nic ${nic}` : ''
    const portOption = selector === 'service' && port !== undefined ? ` --port ${port}` : ''
    return `taut apply --set ${knob}=${value}${nicOption}${portOption}`
  })
