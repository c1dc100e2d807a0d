import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Comparison, compare, type Side } from '../compare/compare.js'
import { MeasurementError, QUANTITIES, type Quantity, type Runs } from '../compare/measurement.js'
import { readMeasurement } from '../compare/read.js'
import { round } from '../latency/round.js'
import { reportWidth, wrap } from '../text/width.js'
import { Failure } from './failure.js'
import { readPercent } from './percent.js'
import { terminalColumns } from './terminal.js'

type CompareOptions = { quantity: Quantity; margin: number; json?: boolean }

const DEFAULT_MARGIN = 0.05

/** Adds `taut compare`: are two measurements different, and how sure is that. */
export const addCompare = (program: Command): void => {
  program
    .command('compare')
    .description('are these two measurements different, and how sure')
    .argument('<a>', 'a file, or a folder of files, one a run')
    .argument('<b>', 'what is compared with it')
    .addOption(
      new Option('--quantity <name>', 'of what has a distribution').choices([...QUANTITIES]).default('p99'),
    )
    .addOption(
      new Option('--margin <percent>', 'a difference that does not matter')
        .argParser(parseMargin)
        .default(DEFAULT_MARGIN, '5%'),
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Files: taut measure --json or taut live --json, one document a line;
HdrHistogram logs; mutilate --save; a run's name and a number a line;
or a number a line, all of one run.`,
    )
    .action(compareFiles)
}

const parseMargin = (text: string): number => {
  const share = readPercent(text)
  if (share === null || share >= 1)
    throw new InvalidArgumentError('It takes a percentage below 100, such as 5%.')
  return share
}

const compareFiles = (a: string, b: string, { quantity, margin, json }: CompareOptions): void => {
  const comparison = compareOrExplain(read(a, quantity), read(b, quantity), margin)
  process.stdout.write(
    json
      ? `${JSON.stringify(compareDocument(comparison))}\n`
      : formatComparison(comparison, terminalColumns(process.stdout)),
  )
}

const read = (path: string, quantity: Quantity): Runs => {
  try {
    return readMeasurement(path, quantity)
  } catch (error) {
    if (error instanceof MeasurementError) throw new Failure(error.message)
    throw new Failure(`cannot read ${path}: ${error instanceof Error ? error.message : error}`)
  }
}

const compareOrExplain = (a: Runs, b: Runs, margin: number): Comparison => {
  try {
    return compare(a, b, margin)
  } catch (error) {
    throw error instanceof MeasurementError ? new Failure(error.message) : error
  }
}

const sideDocument = ({ runs, median, unit, parts }: Side) => ({
  runs,
  median: round(median),
  run_is: unit,
  parts,
})

const compareDocument = ({ quantity, a, b, ratio, needed, margin, verdict }: Comparison) => ({
  schema: 1,
  quantity,
  a: sideDocument(a),
  b: sideDocument(b),
  ratio: ratio && {
    ...ratio,
    estimate: round(ratio.estimate),
    low: round(ratio.low),
    high: round(ratio.high),
  },
  margin,
  verdict,
  ...(ratio === null && { runs_needed: needed }),
})

/** The answer for people, in a sentence or two, ending in a line break. */
export const formatComparison = (comparison: Comparison, columns: number): string => {
  const { quantity, a, b } = comparison
  const runs = ({ runs }: { runs: number }): string => `${runs} run${runs === 1 ? '' : 's'}`
  const sides = `${quantity}: A ${number(a.median)} (${runs(a)}), B ${number(b.median)} (${runs(b)}), medians.`
  const width = reportWidth(columns)
  return `${[answer(comparison), sides, ...remarks(comparison)].flatMap(text => wrap(text, width)).join('\n')}\n`
}

/** What was taken as one run, where that may be something else than was meant. */
const remarks = ({ a, b }: Comparison): string[] =>
  [['A', a] as const, ['B', b] as const].flatMap(([name, { runs, unit, parts }]) =>
    runs === 1 && parts > 1
      ? `${name}: all ${parts} ${PARTS[unit]} are of one run; they tell how that one went, and not how the next will.${unit === 'text' ? OTHERWISE : ''}`
      : [],
  )

const PARTS = {
  name: 'numbers',
  session: 'documents',
  file: 'numbers or intervals',
  text: 'numbers',
} as const

const OTHERWISE =
  ' Where each is the result of a run of its own, put a name before it, which its own line number is as well (nl FILE).'

const answer = ({ ratio, needed, margin, verdict, a, b }: Comparison): string => {
  if (ratio === null) {
    const fewest = Math.min(a.runs, b.runs)
    return `Nothing can be proven with ${fewest === 1 ? 'one run' : `${fewest} runs`} on a side: runs differ from each other by themselves, by how much only more of them tell. It takes ${needed} of each at least.`
  }
  const interval = `${change(ratio.low)} to ${change(ratio.high)} %, 95 % sure`
  switch (verdict) {
    case 'better':
      return `B is lower than A: ${change(ratio.estimate)} % (${interval}).`
    case 'worse':
      return `B is higher than A: ${change(ratio.estimate)} % (${interval}).`
    case 'same':
      return `A and B are the same within ${Number((margin * 100).toPrecision(6))} %: ${change(ratio.estimate)} % (${interval}).`
    case 'unclear':
      return `The data can't tell: ${change(ratio.estimate)} % (${interval}). More runs would.`
  }
}

const change = (ratio: number): string => {
  const percent = (ratio - 1) * 100
  return `${percent > 0 ? '+' : ''}${percent.toFixed(Math.abs(percent) < 10 ? 1 : 0)}`
}

const number = (value: number): string => `${Number(value.toPrecision(4))}`
