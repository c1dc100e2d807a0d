/** Throws a TypeError unless `options` is an object with none but the `known` keys. */
export const checkOptions = (options: unknown, argument: string, known: readonly string[]): void => {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${argument} must be an object`)
  }

  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new TypeError(`${argument}.${key} is not known, there are ${known.join(', ')}`)
    }
  }
}

/** Gives a whole number as a bigint; throws a TypeError or RangeError with the argument's name. */
export const toBigInt = (value: unknown, argument: string): bigint => {
  if (typeof value === 'bigint') {
    return value
  }

  if (typeof value !== 'number') {
    throw new TypeError(`${argument} must be a number or a bigint`)
  }

  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${argument} must be a whole number`)
  }

  return BigInt(value)
}
