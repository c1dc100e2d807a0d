import type { Context } from './kernel-test.js'

/** What is not as it has to be in a comparison of measured times, and what others did to it; null when nobody disturbed it. */
export type Comparison = { faults: string[]; disturbance: string | null }

const ATTEMPTS = 6

/**
 * Asserts that a comparison of times has no faults.
 *
 * Other programs and other machines on the same hardware take CPUs away, in any stage, and slow them. Something besides taut
 * has to tell, such as the scheduler's statistics: only a comparison which that has disturbed is made again.
 */
export const assertNoFaults = async (t: Context, compare: () => Promise<Comparison>): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    const { faults, disturbance } = await compare()
    if (faults.length === 0 || disturbance === null || attempt === ATTEMPTS) {
      t.deepEqual(faults, [], disturbance ?? 'nobody disturbed it')
      return
    }
    t.log(`made again, for ${disturbance}: ${faults.join(', ')}`)
  }
}

/** Names a number that is further from another than a bound, as a fault. */
export const findFar = (what: string, actual: number, expected: number, bound: number): string[] =>
  Math.abs(actual - expected) <= bound ? [] : [`${what}: ${actual} is not within ${bound} of ${expected}`]
