import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Gives a number from 0 to below 1, each time another. */
export type Random = () => number

/** Gives random numbers that are the same for the same seed, which is a whole number of 32 bits. */
export const createRandom = (seed: number): Random => {
  const generator = xoroshiro128plus(seed)
  return () => uniformFloat64(generator)
}
