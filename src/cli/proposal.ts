import type { Advice } from '../advise/all.js'
import type { Plan } from '../knobs/apply.js'
import { aimFor, type Goal } from '../tune/slice.js'

/** One candidate of tuning: what a rule advises, and what it would change here. */
export type Proposal = { advice: Advice; plans: Plan[] }

/** What would be a candidate, and is not to be tried: by which option. */
export type LeftOut = { advice: Advice; by: '--only' | '--exclude' }

/** Whether it changes how long packets wait before the first stage. */
export const isBeforeStages = ({ plans }: Proposal): boolean =>
  plans.some(({ wish }) => wish.knob.isBeforeStages === true)

/** Whether these are judged with the time of acknowledgements, for this goal. */
export const countsAck = (goal: Goal, proposals: readonly Proposal[]): boolean =>
  aimFor(goal, proposals.some(isBeforeStages)).withAck
