import { isInTotal, STAGES, type StageName } from '../../src/latency/stages.js'
import { assertExact, spreadMean } from '../kernel/support/assertions.js'
import { DELAY_US, type Injection, REQUESTS } from './injection.js'
import { measureDelayed } from './measure.js'
import type { World } from './world.js'

/** How requests that were delayed differ from those that were not, in microseconds a request. */
export type Comparison = {
  /** What was injected, by the clock of what did it. */
  injected: number
  /** What each stage moved by. */
  moved: Map<StageName, number>
  /** How long the service's threads waited for a CPU more, or less, beside what was injected. */
  competition: number
  /** Requests whose reply nobody saw leave before the next one came, although the client waits for each. */
  overlapping: number
  /** What the hypervisor took from the machine's CPUs, whether requests were delayed or not. */
  stolen: number
}

/** One measurement, in microseconds a request. */
type Run = {
  stages: Map<StageName, number>
  injected: number
  overlapping: number
  waited: number
  stolen: number
}

const measure = async (world: World, injection: Injection, delayUs: number): Promise<Run> => {
  const { document, injectedNs, waitedNs, stolenNs } = await measureDelayed(world, injection, delayUs)
  assertExact(world.t, { ...document, pipelined: 0 }, REQUESTS)
  const perRequest = (ns: number): number => ns / REQUESTS / 1000
  return {
    stages: new Map(STAGES.map(name => [name, spreadMean(document, name)])),
    injected: perRequest(injectedNs),
    overlapping: document.pipelined,
    waited: perRequest(waitedNs),
    stolen: perRequest(stolenNs),
  }
}

/** Without, with, with, without: a drift of the machine falls on both alike. */
const ORDER = [0, DELAY_US, DELAY_US, 0]

/** Measures requests without and with the delay, in so many rounds of four, and compares them. */
export const compareRuns = async (
  world: World,
  injection: Injection,
  rounds: number,
): Promise<Comparison> => {
  const runs: { delayUs: number; run: Run }[] = []
  for (let round = 0; round < rounds; round++) {
    for (const delayUs of ORDER) {
      runs.push({ delayUs, run: await measure(world, injection, delayUs) })
    }
  }
  const difference = (read: (run: Run) => number): number =>
    runs.reduce((sum, { delayUs, run }) => sum + (delayUs > 0 ? read(run) : -read(run)), 0) / (2 * rounds)

  const injected = difference(run => run.injected)
  return {
    injected,
    moved: new Map(STAGES.map(name => [name, difference(run => run.stages.get(name) ?? 0)])),
    competition: difference(run => run.waited) - (injection.delaysThreads ? injected : 0),
    overlapping: runs.reduce((sum, { run }) => sum + run.overlapping, 0),
    stolen: runs.reduce((sum, { run }) => sum + run.stolen, 0) / runs.length,
  }
}

/** What of the injected time was found where; every number is a share of it. */
export type Attribution = {
  injectedUs: number
  there: number
  /** In all other stages of the total together, and in that which moved most. */
  elsewhere: number
  most: { stage: StageName; share: number }
  /** The largest disturbance that was measured. */
  disturbance: number
  /** As in the comparison. */
  overlapping: number
}

/** Gives where the injected time was found. `ack` lies outside the total, and moves when the next request does. */
export const attribute = (
  stage: StageName,
  { injected, moved, competition, overlapping, stolen }: Comparison,
): Attribution => {
  const shares = STAGES.map(name => ({ stage: name, share: (moved.get(name) ?? 0) / injected }))
  const others = shares.filter(other => other.stage !== stage && isInTotal(other.stage))
  return {
    injectedUs: injected,
    there: shares.find(share => share.stage === stage)?.share ?? 0,
    elsewhere: others.reduce((sum, { share }) => sum + share, 0),
    most: others.reduce((a, b) => (Math.abs(b.share) > Math.abs(a.share) ? b : a)),
    disturbance: Math.max(Math.abs(competition), stolen) / injected,
    overlapping,
  }
}
