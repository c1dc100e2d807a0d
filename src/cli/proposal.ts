import type { Advice } from '../advise/all.js'
import type { Plan } from '../knobs/apply.js'

/** One candidate of tuning: what a rule advises, and what it would change here. */
export type Proposal = { advice: Advice; plans: Plan[] }

/** Whether it changes how long packets wait before the first stage: then it is judged with the time of acknowledgements. */
export const isBeforeStages = ({ plans }: Proposal): boolean =>
  plans.some(({ wish }) => wish.knob.isBeforeStages === true)
