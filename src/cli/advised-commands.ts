import type { Finding } from '../advise/rule.js'
import { KNOBS } from '../knobs/all.js'
import { planWish } from '../knobs/apply.js'
import { InvalidValue, Unavailable } from '../knobs/knob.js'
import { Failure } from './failure.js'
import { selectFor } from './selection.js'
import { describeCommand } from './shell-commands.js'

/** Gives the commands to do what is advised in a shell, without taut; none where this machine has nothing to set. */
export const shellCommandsOf = async ({ settings, finding }: Finding): Promise<string[]> => {
  try {
    const plans = await Promise.all(
      settings.map(async ({ knob, value, nic, port }) =>
        planWish({
          knob: KNOBS[knob],
          value,
          why: finding,
          selection: await selectFor(KNOBS[knob], { nic, port: port?.toString() }),
        }),
      ),
    )
    return plans.flatMap(({ changes }) => changes.map(({ place, to }) => describeCommand(place, to)))
  } catch (error) {
    // A service or a device may be gone meanwhile, and the advice is right all the same.
    if (error instanceof Unavailable || error instanceof InvalidValue || error instanceof Failure) return []
    throw error
  }
}
