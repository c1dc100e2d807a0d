import { InvalidArgumentError, Option } from 'commander'

/** Gives the option `--budget`, as a share of all CPUs' time. */
export const createBudgetOption = (): Option =>
  new Option(
    '--budget <percent>',
    "what measuring may take of all CPUs' time, such as 1%; if it takes more, fewer connections are followed in depth",
  ).argParser(parsePercent)

const parsePercent = (text: string): number => {
  const [, digits = ''] = /^(\d+(?:\.\d+)?)%?$/.exec(text) ?? []
  const percent = Number(digits)
  if (!(percent > 0) || percent > 100)
    throw new InvalidArgumentError('It takes a percentage above 0 and up to 100, such as 1% or 0.5%.')
  return percent / 100
}
