/**
 * Gives the value that Student's t exceeds with a probability below 0.5, for whole degrees of freedom, by the finite series of
 * its distribution (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4), halving.
 */
export const studentQuantile = (probability: number, degrees: number): number => {
  let [low, high] = [0, Math.PI / 2]
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (studentBeyond(middle, degrees) > probability) low = middle
    else high = middle
  }
  return Math.tan(low) * Math.sqrt(degrees)
}

/** How likely t is above tan(angle) times the root of its degrees of freedom. */
const studentBeyond = (angle: number, degrees: number): number => {
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)]
  const isOdd = degrees % 2 === 1
  let term = isOdd ? cosine : 1
  let sum = isOdd && degrees === 1 ? 0 : term
  for (let power = isOdd ? 3 : 2; power <= degrees - 2; power += 2) {
    term *= ((power - 1) / power) * cosine ** 2
    sum += term
  }
  const within = isOdd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum
  return (1 - within) / 2
}

/**
 * Gives a count that is reached with at most this probability by chance, where each of so many may count with a share's chance
 * at most, independently; more than all where even all of them are too likely. By Chernoff's bound, which is on the safe side.
 */
export const unlikelyCount = (of: number, share: number, probability: number): number => {
  const isUnlikely = (count: number): boolean => {
    const seen = count / of
    const rest = seen === 1 ? 0 : (1 - seen) * Math.log((1 - seen) / (1 - share))
    return of * (seen * Math.log(seen / share) + rest) >= -Math.log(probability)
  }
  let [low, high] = [Math.floor(of * share), of + 1]
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (isUnlikely(middle)) high = middle
    else low = middle
  }
  return high
}

/**
 * Gives below how many independent events there are with at most this probability by chance, where so many are expected; not
 * above 0 where even none is too likely. By the same bound of Poisson's distribution.
 */
export const unlikelyFew = (expected: number, probability: number): number =>
  expected - Math.sqrt(-2 * Math.log(probability) * expected)
