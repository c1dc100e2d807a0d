import type { StageName } from '../../src/latency/stages.js'
import type { Load } from '../kernel/support/load.js'
import type { Machine, World } from './world.js'

/** Requests a second: the service is done with a delayed one long before the next comes. An emulated machine is told fewer. */
export const RATE = Number(process.env.TAUT_TEST_RATE ?? 200)

/**
 * How long a request is delayed, where that can be chosen: long against what a stage takes and varies by, which is the more the slower
 * the machine is; and short of the next request.
 */
export const DELAY_US = 400_000 / RATE

/** Requests in each measurement. */
export const REQUESTS = 300

/** A service that is ready for load. */
export type Target = {
  pid: number
  port: number
  /** What the client is to send, beside how many of it. */
  load: Pick<Load, 'set-bytes' | 'value-bytes'>
  /** Ends all that was started, and gives the time injected in all, in nanoseconds, by the clock of what injected it. */
  end: () => Promise<number>
}

/**
 * A way to delay requests in one stage, and only there, by a time that is known without taut; on any machine, or where
 * the client is within reach as well.
 */
export type Injection<M extends Machine = World> = {
  stage: StageName
  /** What delays, in a few words. */
  by: string
  /** The delay makes the service's threads wait for a CPU. */
  delaysThreads?: true
  /** Why it can't work on this machine, null when it can. */
  findObstacle?: () => string | null
  /** Starts a service whose requests are delayed; with a delay of 0, one that differs in nothing else. */
  start: (machine: M, delayUs: number) => Promise<Target>
}
