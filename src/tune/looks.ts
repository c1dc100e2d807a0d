/** Over a whole run, a setting that does nothing is kept once in so many runs at most. */
const ERROR_OF_A_RUN = 0.01

const LOOKS = 8
const BETWEEN = 1.4

/** When a trial is looked at, by its number of pairs, and the error that each look may spend. */
export type Looks = { at: readonly number[]; alpha: number }

/**
 * Plans the looks at the trials of a run: the error of the run is shared evenly by all candidates, and by all looks at each
 * (Bonferroni's inequality: whatever the dependence between them, the sum is not exceeded). The first look comes when there
 * are enough pairs to prove anything at that error, later ones each 1.4 times as late.
 */
export const planLooks = (candidates: number): Looks => {
  const alpha = ERROR_OF_A_RUN / Math.max(1, candidates) / LOOKS
  // The smallest probability that the test can give for n pairs is 2^-n.
  const first = Math.ceil(Math.log2(1 / alpha))
  return {
    at: Array.from({ length: LOOKS }, (_, look) => Math.ceil(first * BETWEEN ** look)),
    alpha,
  }
}

/** What is left of a candidate's looks for another try. */
export const looksLeft = ({ at, alpha }: Looks, spent: number): Looks => ({
  at: at.slice(0, at.length - spent),
  alpha,
})
