import { type Plan, planWish, type Wish } from '../knobs/apply.js'
import { InvalidValue, Unavailable } from '../knobs/knob.js'
import { wrap } from '../text/width.js'
import { EXIT, Failure } from './failure.js'
import { type Selectors, selectFor } from './selection.js'
import { terminalColumns } from './terminal.js'

/** A setting that is asked for: what of the machine it is for is found when its turn comes. */
export type Asked = Pick<Wish, 'knob' | 'value' | 'why'> & { selectors: Selectors }

/**
 * Plans settings in order, each for a machine on which those before it are made. Of a profile (`isSkipping`), what this machine
 * lacks is left out, and said. Throws a Failure for what can't be set, or must not.
 */
export const planAll = async (asked: readonly Asked[], isSkipping: boolean): Promise<Plan[]> => {
  const plans: Plan[] = []
  for (const each of asked) {
    try {
      plans.push(await planNext(each, plans))
    } catch (error) {
      const { name } = each.knob
      if (error instanceof InvalidValue)
        throw new Failure(
          `cannot set ${name} to ${each.value}: ${error.message}`,
          isSkipping ? EXIT.unsupported : EXIT.usage,
        )
      if (!(error instanceof Unavailable)) throw error
      if (!isSkipping) throw new Failure(`cannot set ${name}: ${error.message}`, EXIT.unsupported)
      tell(`leaving out ${name}: ${error.message}`)
    }
  }
  if (plans.length === 0)
    throw new Failure('this machine has nothing of what the profile sets', EXIT.unsupported)
  return plans
}

const planNext = async ({ selectors, ...wish }: Asked, before: readonly Plan[]): Promise<Plan> => {
  const changes = before.flatMap(plan => plan.changes)
  const selection = await selectFor(wish.knob, selectors, changes)
  const plan = await planWish({ ...wish, selection })
  const warning = plan.changes.length === 0 ? undefined : wish.knob.warn?.()
  if (warning !== undefined && warning !== null) tell(`${wish.knob.name}: ${warning}`)
  return plan
}

const tell = (text: string): void => {
  process.stderr.write(`${wrap(`taut: ${text}`, terminalColumns(process.stderr)).join('\n')}\n`)
}
