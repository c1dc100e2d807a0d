import type { Finding } from '../advise/rule.js'
import { KNOBS } from '../knobs/all.js'
import { type Plan, planWish } from '../knobs/apply.js'
import { InvalidValue, Unavailable } from '../knobs/knob.js'
import type { Service } from '../system/services.js'
import { Failure } from './failure.js'
import { selectFor } from './selection.js'

/** What is to be done for an advice; or why it can't be done here, where it can't. */
export type AdvicePlan = { plans: Plan[]; obstacle: string | null }

/** Tells whether there is nothing to be done: all is set so already, or nothing was to be set. */
export const isDone = ({ plans, obstacle }: AdvicePlan): boolean =>
  obstacle === null && plans.every(({ changes }) => changes.length === 0)

/**
 * Plans what is advised for a service: the one that was measured, and not whichever else has its port elsewhere. This machine may
 * have nothing to set, or a device be gone meanwhile, and the advice is right all the same.
 */
export const planAdvice = async (
  { settings, finding }: Pick<Finding, 'settings' | 'finding'>,
  service: Service,
): Promise<AdvicePlan> => {
  try {
    const plans = await Promise.all(
      settings.map(async ({ knob, value, nic }) => {
        const selection = { ...(await selectFor(KNOBS[knob], { nic })), service }
        return planWish({ knob: KNOBS[knob], value, why: finding, selection })
      }),
    )
    return { plans, obstacle: null }
  } catch (error) {
    if (error instanceof Unavailable || error instanceof InvalidValue || error instanceof Failure)
      return { plans: [], obstacle: error.message }
    throw error
  }
}
