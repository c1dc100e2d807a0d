import { InvalidArgumentError } from 'commander'

const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const
const LONGEST_S = 24 * 3600

/** Reads a duration such as `500ms`, `5s`, `2m` or `1h` and gives seconds; throws commander's InvalidArgumentError. */
export const parseDuration = (text: string): number => {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const seconds = Number(digits) * (UNITS[unit as keyof typeof UNITS] ?? Number.NaN)
  if (!(seconds > 0)) throw new InvalidArgumentError('It takes a number and a unit, such as 500ms, 5s or 2m.')
  if (seconds > LONGEST_S) throw new InvalidArgumentError('It takes 24h at most.')
  return seconds
}
