/**
 * Wilcoxon's signed-rank test: how likely values that lie around a center, as often above it as below and as far, are to lie
 * as far below it as these do. Exact for any number of values, with ties, since it goes by the ranks at hand (Hollander, Wolfe
 * and Chicken, Nonparametric Statistical Methods, 2014, chapter 3.1). If which of two slices came first was chosen by lot,
 * the differences of what does nothing are so by construction, whatever the noise. Values at the center tell nothing.
 * Without any others it is 1.
 */
export const signedRankTest = (values: readonly number[], center: number): number => {
  const distances = values.map(value => value - center).filter(distance => distance !== 0)
  const ranks = rankDoubled(distances.map(Math.abs))
  const above = distances.reduce((sum, distance, index) => sum + (distance > 0 ? (ranks[index] ?? 0) : 0), 0)
  return probabilityUpTo(above, ranks)
}

/** Twice the rank of each, so that the mean rank of a tie is whole. */
const rankDoubled = (values: readonly number[]): number[] =>
  values.map(value => {
    const below = values.filter(other => other < value).length
    const same = values.filter(other => other === value).length
    return 2 * below + same + 1
  })

/** How likely the ranks that heads of as many coins choose have a sum up to this one. */
const probabilityUpTo = (sum: number, ranks: readonly number[]): number => {
  const total = ranks.reduce((all, rank) => all + rank, 0)
  let chances = new Float64Array(total + 1)
  chances[0] = 1
  for (const rank of ranks) {
    const next = new Float64Array(total + 1)
    for (let at = 0; at <= total; at++) next[at] = ((chances[at] ?? 0) + (chances[at - rank] ?? 0)) / 2
    chances = next
  }
  return chances.subarray(0, sum + 1).reduce((all, chance) => all + chance, 0)
}
