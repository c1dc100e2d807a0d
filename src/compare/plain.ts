import { addTo, type Quantity, refuse, type Samples, summarizeRun } from './measurement.js'

const NUMBER = /^-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** In half of the world it is a number; in a table with commas it is two. */
const DECIMAL_COMMA = /^-?\d+,\d+$/

/**
 * Reads numbers, one a line: all of one run, for nothing tells that they don't depend on each other. With a run's name before it,
 * each is one of that run's. Empty lines and those that begin with # tell nothing.
 */
export const readPlain = (file: string, text: string, quantity: Quantity): Samples => {
  const runs = new Map<string, number[]>()
  const alone: number[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/[\s,;]+/)
    if (words[0] === '' || words[0]?.startsWith('#')) continue
    if (DECIMAL_COMMA.test(line.trim()))
      return refuse(file, index + 1, 'it is a number with a comma, or a run and its number (try 1.5, or 1 5)')
    const value = words.length <= 2 ? words.at(-1) : undefined
    if (value === undefined || !NUMBER.test(value))
      return refuse(file, index + 1, 'it takes a number a line, or a run and a number')
    const [run] = words
    if (words.length === 1) alone.push(Number(value))
    else if (run !== undefined) addTo(runs, run, Number(value))
    if (alone.length > 0 && runs.size > 0)
      return refuse(file, index + 1, 'some lines have a run and some have none (try the same form for all)')
  }
  const summarize = (samples: readonly number[]): number => summarizeRun(samples, quantity)
  if (runs.size > 0) {
    const parts = [...runs.values()].reduce((sum, samples) => sum + samples.length, 0)
    return { quantity, unit: 'name', runs, summarize, parts }
  }
  if (alone.length === 0) return refuse(file, 0, 'there is no number in it')
  return { quantity, unit: 'text', runs: new Map([[file, alone]]), summarize, parts: alone.length }
}
