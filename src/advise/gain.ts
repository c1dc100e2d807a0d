import type { MeasureDocument } from '../latency/document.js'
import { isInTotal, type StageName } from '../latency/stages.js'
import type { Evidence } from './evidence.js'

/**
 * What percentiles may become at best, in shares of what they are: 0.3 is 30 % less; and how that was computed. An upper
 * bound: only a trial tells what is true.
 */
export type Gain = { p50: number; p99: number; how: string }

/** What the gains are of, where `how` does not say something else. */
export const GAIN_BASIS =
  'upper bounds: p99 by the mean of the slowest 1 %, p50 by the mean of all but the slowest tenth'

/** Fewer single requests are no base for what is the best that was seen. */
const LEAST_EXEMPLARS = 8

/**
 * Estimates the gain as if some stages shrank to the best that was observed of each: its mean in the faster half of the requests,
 * from the tail table, or the least in the exemplars, or the mean of an idle state, where that is less. At p99 it is what the mean of the slowest 1 %
 * would lose; at p50, what the mean of all but the slowest tenth would, which the tail does not move.
 */
export const estimateGain = ({ document }: Evidence, ...stages: StageName[]): Gain => {
  const means = meansOf(document)
  const levels = new Map(stages.map(name => [name, findBest(document, name)]))
  return {
    p50: shareSaved(means.typical, levels),
    p99: shareSaved(means.slowest, levels),
    how: `as if ${list(stages)} took no longer than in the faster half of the requests${describeOthers(document, stages)}`,
  }
}

/**
 * Estimates the gain as if all the time that some stages take on a CPU took a share of it, as with a faster clock; for the same
 * requests as estimateGain.
 */
export const estimateSpeedup = ({ document }: Evidence, share: number, ...stages: StageName[]): Gain => {
  const means = meansOf(document)
  const gainOf = (of: Means): number => {
    const all = sumOf(of)
    return all === 0 ? 0 : (stages.reduce((sum, name) => sum + (of[name] ?? 0), 0) * (1 - share)) / all
  }
  return {
    p50: gainOf(means.typical),
    p99: gainOf(means.slowest),
    how: `as if ${list(stages)} were as much shorter as the clock could be faster`,
  }
}

type Means = Partial<Record<StageName, number>>

/** The stages' means in microseconds: of the slowest 1 %, and of all but the slowest tenth. */
const meansOf = (document: MeasureDocument): { typical: Means; slowest: Means } => ({
  typical: meansBelow(document, 90),
  slowest: document.tail.find(({ from_percentile }) => from_percentile === 99)?.stages ?? {},
})

/**
 * The stages' means over all requests but those from a percentile on: the sums of all less those of the tail. Those that
 * were followed in depth stand for all.
 */
const meansBelow = ({ stages, tail, requests, depth }: MeasureDocument, percentile: number): Means => {
  const row = tail.find(({ from_percentile }) => from_percentile === percentile)
  if (row === undefined || row.requests >= requests || depth.requests === 0) return row?.stages ?? {}
  const share = row.requests / requests
  return Object.fromEntries(
    stages
      .filter(({ name }) => isInTotal(name))
      .map(({ name, mean_us, requests: having }) => {
        const all = (mean_us * having) / depth.requests
        return [name, Math.max(0, (all - share * (row.stages[name] ?? 0)) / (1 - share))]
      }),
  )
}

const hasExemplars = ({ exemplars }: MeasureDocument): boolean => exemplars.length >= LEAST_EXEMPLARS

const describeOthers = (document: MeasureDocument, stages: readonly StageName[]): string =>
  [
    hasExemplars(document) && `, or in the best of ${document.exemplars.length} single ones`,
    stages.includes('idle_exit') &&
      document.idle_exits.length > 1 &&
      ', or out of the idle state that is left fastest',
  ]
    .filter(text => text !== false)
    .join('')

const findBest = (document: MeasureDocument, name: StageName): number => {
  const usual = meansBelow(document, 50)[name] ?? 0
  // A stage that a request did without is the best of it.
  const single = hasExemplars(document) ? document.exemplars.map(({ stages }) => stages[name] ?? 0) : []
  // Where every CPU slept, some slept less deeply.
  const states = name === 'idle_exit' ? document.idle_exits.map(({ mean_us }) => mean_us) : []
  return Math.min(usual, ...single, ...states)
}

const shareSaved = (means: Means, levels: ReadonlyMap<StageName, number>): number => {
  const all = sumOf(means)
  const saved = [...levels].reduce((sum, [name, best]) => sum + Math.max(0, (means[name] ?? 0) - best), 0)
  return all === 0 ? 0 : saved / all
}

const sumOf = (means: Means): number => Object.values(means).reduce((sum, us) => sum + us, 0)

const list = (stages: readonly StageName[]): string =>
  stages.length === 1 ? `${stages[0]}` : `${stages.slice(0, -1).join(', ')} and ${stages.at(-1)}`
