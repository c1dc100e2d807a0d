import { InvalidValue, Unavailable } from './knob.js'

/** Gives a whole number of a value, as text. Throws an InvalidValue when it is none, or out of bounds. */
export const readWhole = (value: string, min: number, max: number, unit: string): string => {
  const number = Number(value)
  if (!/^\d{1,15}$/.test(value) || number < min || number > max)
    throw new InvalidValue(`'${value}' is no number of ${unit} (try ${min} to ${max})`)
  return String(number)
}

/** Gives a value that is one of some words. Throws an InvalidValue that lists them. */
export const readWord = (value: string, words: readonly string[]): string => {
  if (!words.includes(value)) throw new InvalidValue(`'${value}' is not known here (try ${words.join(', ')})`)
  return value
}

/** Throws an InvalidValue when a value is no name of something that machines offer. */
export const checkName = (value: string): void => {
  if (!/^[a-z][a-z_]{0,30}$/.test(value)) throw new InvalidValue(`'${value}' is no name (try performance)`)
}

/**
 * Gives those of some items, such as the groups of CPUs, that offer a word. Throws an Unavailable when it is a `known` one that none
 * offers here, and an InvalidValue when it is none at all; both list what there is.
 */
export const keepOffering = <T>(
  value: string,
  known: readonly string[],
  items: readonly T[],
  listOffered: (item: T) => readonly string[],
): T[] => {
  const offering = items.filter(item => listOffered(item).includes(value))
  if (offering.length > 0) return offering
  const offered = [...new Set(items.flatMap(item => listOffered(item)))]
  if (known.includes(value))
    throw new Unavailable(`'${value}' is not offered here (try ${offered.join(', ')})`)
  throw new InvalidValue(`'${value}' is not known here (try ${offered.join(', ')})`)
}
