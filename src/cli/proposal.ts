import type { Advice } from '../advise/all.js'
import type { Plan } from '../knobs/apply.js'
import { addsAck, type Goal } from '../tune/slice.js'

/** One candidate of tuning: what a rule advises, and what it would change here. */
export type Proposal = { advice: Advice; plans: Plan[] }

/** What would be a candidate, and is not tried: by which option, or because this machine can't, and why. */
export type LeftOut =
  | { advice: Advice; by: '--only' | '--exclude' }
  | { advice: Advice; by: 'machine'; why: string }

/** Whether it changes how long packets wait before the first stage. */
export const isBeforeStages = ({ plans }: Proposal): boolean =>
  plans.some(({ wish }) => wish.knob.isBeforeStages === true)

/** Whether the time of acknowledgements is added to the goal, where these are judged. */
export const countsAck = (goal: Goal, proposals: readonly Proposal[]): boolean =>
  addsAck({ goal, withAck: proposals.some(isBeforeStages) })
