import { InvalidArgumentError, Option } from 'commander'

const UNITS = { ms: 0.001, s: 1, m: 60, h: 3600 } as const
const LONGEST_S = 24 * 3600
const DEFAULT_S = 5

/** Gives the option `--for`, in seconds; its description begins with what the duration is of. */
export const createDurationOption = (what: string): Option =>
  new Option('--for <duration>', `${what}: 500ms, 5s, 2m or 1h; without a unit, seconds`)
    .argParser(parseDuration)
    .default(DEFAULT_S, `${DEFAULT_S}s`)

/**
 * Reads a duration such as `500ms`, `5s`, `2m`, `1h` or, in seconds, `5`, as sleep and timeout do, and gives seconds;
 * throws commander's InvalidArgumentError.
 */
export const parseDuration = (text: string): number => {
  const [, digits, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  const seconds = Number(digits) * UNITS[unit as keyof typeof UNITS]
  if (!(seconds > 0)) throw new InvalidArgumentError('It takes a time such as 500ms, 5s, 2m or 1h.')
  if (seconds > LONGEST_S) throw new InvalidArgumentError('It takes 24h at most.')
  return seconds
}
