import type { StageName } from '../latency/stages.js'
import type { Evidence } from './evidence.js'

/** What percentiles may become at best, in shares of what they are: 0.3 is 30 % less. */
export type Gain = { p50: number; p99: number }

/**
 * Estimates the gain as if some stages shrank to the best that was observed: in the slower half and in the slowest 1 %, each
 * stage's mean to its median over all requests where that is less, or to nothing where the requests at hand did without it
 * for the most part. An upper bound, from the tail table; a trial tells what is true.
 */
export const estimateGain = ({ document }: Evidence, ...stages: StageName[]): Gain => {
  const gainFrom = (percentile: number): number => {
    const row = document.tail.find(({ from_percentile }) => from_percentile === percentile)
    const all = Object.values(row?.stages ?? {}).reduce((sum, us) => sum + us, 0)
    if (row === undefined || all === 0) return 0
    const saved = stages.reduce((sum, name) => {
      const stage = document.stages.find(candidate => candidate.name === name)
      const isUsual = stage !== undefined && stage.requests > document.depth.requests / 2
      return sum + Math.max(0, (row.stages[name] ?? 0) - (isUsual ? stage.p50_us : 0))
    }, 0)
    return saved / all
  }
  return { p50: gainFrom(50), p99: gainFrom(99) }
}
