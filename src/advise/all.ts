import { KNOBS } from '../knobs/all.js'
import { printable } from '../text/printable.js'
import { quoteShell } from '../text/shell.js'
import { type Evidence, withServingNic } from './evidence.js'
import { EXPENSES, type Finding, type Rule } from './rule.js'
import { awayFromApp } from './rules/away-from-app.js'
import { busyPolling } from './rules/busy-polling.js'
import { busyPollingOff } from './rules/busy-polling-off.js'
import { deepIdle } from './rules/deep-idle.js'
import { hugePages } from './rules/huge-pages.js'
import { irqOnAppCpu } from './rules/irq-on-app-cpu.js'
import { irqbalanceMoves } from './rules/irqbalance.js'
import { irqsElsewhere } from './rules/irqs-elsewhere.js'
import { irqsStay } from './rules/irqs-stay.js'
import { lazyCoalescing } from './rules/lazy-coalescing.js'
import { manyInterrupts } from './rules/many-interrupts.js'
import { neighbour } from './rules/neighbour.js'
import { oneCpuTakesAll } from './rules/one-cpu-takes-all.js'
import { otherNamespace } from './rules/other-namespace.js'
import { ownTime } from './rules/own-time.js'
import { slowGovernor } from './rules/slow-governor.js'
import { squeezed } from './rules/squeezed.js'
import { steal } from './rules/steal.js'
import { steeredToBusyCpu } from './rules/steered-to-busy-cpu.js'
import { transmitQueue } from './rules/transmit-queue.js'

/** Every rule. */
export const RULES: readonly Rule[] = [
  steal,
  otherNamespace,
  hugePages,
  squeezed,
  busyPollingOff,
  steeredToBusyCpu,
  awayFromApp,
  oneCpuTakesAll,
  neighbour,
  irqOnAppCpu,
  irqsElsewhere,
  irqbalanceMoves,
  irqsStay,
  transmitQueue,
  lazyCoalescing,
  manyInterrupts,
  deepIdle,
  slowGovernor,
  busyPolling,
  // By what the others have found.
  ownTime,
]

/** A finding with the name of its rule. */
export type Advice = Finding & { rule: string }

/** Too few requests tell nothing of the slowest 1 %. */
export const REQUESTS_TO_ADVISE = 1000

/**
 * Gives what all rules find, the most useful first: by the gain at p99 over the cost; then what no setting can help against, and what
 * may gain little; those whose gain is not known come last, cheap ones first. What several rules would set alike is advised once, with what each of them has found.
 */
export const advise = (evidence: Evidence): Advice[] => {
  const served = withServingNic(evidence)
  const found: Advice[] = []
  for (const rule of RULES) {
    const finding = rule.find(served, found)
    if (finding !== null) found.push({ rule: rule.name, ...finding })
  }
  const ordered = found.toSorted(
    (a, b) => worth(b) - worth(a) || EXPENSES.indexOf(a.expense) - EXPENSES.indexOf(b.expense),
  )
  const alike = new Map<string, Advice>()
  for (const each of ordered) {
    const key = keyOf(each)
    const first = alike.get(key)
    alike.set(key, first === undefined ? each : join(first, each))
  }
  return [...alike.values()]
}

/** What sets nothing is like nothing else. */
const keyOf = ({ rule, settings }: Advice): string =>
  settings.length === 0 ? rule : settings.map(({ knob, value, nic }) => `${knob}=${value} ${nic}`).join()

const join = (first: Advice, other: Advice): Advice => ({
  ...first,
  finding: `${first.finding}; besides, ${other.finding}`,
  evidence: [...new Set([...first.evidence, ...other.evidence])],
})

/** What gains less than this over its cost does not help: `taut tune` would not keep it. */
const LEAST_WORTH = 0.03

/** Gain over cost: what is a step dearer has to gain twice as much. What no setting helps against comes after what may help. */
const worth = ({ settings, gain, expense }: Finding): number =>
  settings.length === 0 ? LEAST_WORTH : (gain?.p99 ?? 0) / 2 ** EXPENSES.indexOf(expense)

/** Gives the commands to do it by taut, one a setting. */
export const commandsOf = ({ settings }: Pick<Finding, 'settings'>): string[] =>
  settings.map(({ knob, value, nic, port }) => {
    const selector = KNOBS[knob].selector
    const nicOption = selector === 'nic' && nic !== undefined ? ` --nic ${quoteShell(printable(nic))}` : ''
    const portOption = selector === 'service' && port !== undefined ? ` --port ${port}` : ''
    return `taut apply --set ${knob}=${value}${nicOption}${portOption}`
  })
