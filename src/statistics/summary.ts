/** Gives the mean; NaN of nothing. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** Gives the standard deviation of a sample, with n − 1; NaN below two values. */
export const deviation = (values: readonly number[]): number => {
  const center = mean(values)
  return Math.sqrt(values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1))
}

/**
 * Gives a quantile, from 0 to 1, of values in ascending order, between its neighbours in proportion (Hyndman and Fan 1996,
 * type 7); NaN of nothing.
 */
export const quantile = (sorted: ArrayLike<number>, share: number): number => {
  const position = share * (sorted.length - 1)
  const [low, high] = [sorted[Math.floor(position)] ?? Number.NaN, sorted[Math.ceil(position)] ?? Number.NaN]
  // Not by adding the difference, which of two equal values that are infinite is none.
  return low === high ? low : low + (high - low) * (position - Math.floor(position))
}

/** Gives the median; NaN of nothing. */
export const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
