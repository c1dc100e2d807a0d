import { InvalidValue } from './knob.js'

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
