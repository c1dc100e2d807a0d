import type { Counts } from '../latency/counts.js'
import type { MeasureDocument, NamedService } from '../latency/document.js'

/** A listening service as the live screen lists it; rates are null where they can not be told. */
export type LiveService = NamedService & {
  /** The inode of its network namespace: in several of them, the same port may be taken. */
  netns: number
  readsPerSecond: number | null
  /** Whether this is the service being traced. */
  chosen: boolean
}

/** What did not come to an end as it should have, since the service has been traced. */
export type Losses = Pick<Counts, 'lost' | 'unanswered'>

/** Everything one refresh of the live screen shows. */
export type LiveModel = {
  services: LiveService[]
  /** The service being traced; null before one is. */
  target: NamedService | null
  /** The last interval; null before the first one is over. */
  document: MeasureDocument | null
  /** Of all intervals, so that a loss does not go with its own; null before a service is traced. */
  losses: Losses | null
  /** How long the target has been traced. */
  seconds: number
  /** What is going on, in a word or two. */
  status: string
}

/** What the person at the screen sees of it: the model and everything the keys have changed. */
export type LiveView = {
  model: LiveModel | null
  /** The position of the cursor in the list of services. */
  cursor: number
  isPaused: boolean
  /** The first line of the help that is shown; null when it is not shown. */
  helpFrom: number | null
  message: string
}

/** The part of the terminal a section is drawn for. */
export type Area = { columns: number; rows: number }
