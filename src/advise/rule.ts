import type { KnobName } from '../knobs/names.js'
import type { Evidence } from './evidence.js'
import type { Gain } from './gain.js'

/** A change that is advised: a knob's value, and its selectors where they are other than usual. */
export type AdvisedSetting = { knob: KnobName; value: string; nic?: string; port?: number }

/** How dear a change is, of CPU time, power, memory or throughput: roughly, for an order. */
export const EXPENSES = ['none', 'low', 'medium', 'high'] as const
export type Expense = (typeof EXPENSES)[number]

/** What a rule has found. */
export type Finding = {
  /** What is wrong, or that nothing is, in a sentence. */
  finding: string
  /** The numbers behind it, each a short sentence. */
  evidence: string[]
  /** What would help; none where no setting does. */
  settings: AdvisedSetting[]
  gain: Gain | null
  cost: string
  expense: Expense
  risk: string
}

/** One rule: from evidence to a finding, or null when it has none. */
export type Rule = {
  name: string
  /** When it has one, for people: the end of a sentence that begins with "when". */
  when: string
  /** The knobs that it may advise; none where no setting helps. */
  knobs: readonly KnobName[]
  /** `others` is what the rules before it have found. */
  find: (evidence: Evidence, others: readonly Finding[]) => Finding | null
}

/** Gives a share as a percentage, for sentences. */
export const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`
