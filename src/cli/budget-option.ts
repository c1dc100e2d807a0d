import { InvalidArgumentError, Option } from 'commander'
import { readPercent } from './percent.js'

/** Gives the option `--budget`, as a share of all CPUs' time. */
export const createBudgetOption = (): Option =>
  new Option(
    '--budget <percent>',
    "what measuring may take of all CPUs' time, such as 1%, beside what the kernel takes to call the probes; if it takes more, fewer connections are followed in depth",
  ).argParser(parseBudget)

const parseBudget = (text: string): number => {
  const share = readPercent(text)
  if (share === null || share === 0 || share > 1)
    throw new InvalidArgumentError('It takes a percentage above 0 and up to 100, such as 1% or 0.5%.')
  return share
}
