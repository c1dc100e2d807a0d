import type { Pair, Slice } from '../../src/tune/slice.js'

/** A slice in which every time is one nanosecond, on a machine whose hardware tells nothing. */
export const SLICE: Slice = {
  requests: 1000,
  seconds: 1,
  p50: 1,
  p99: 1,
  p999: 1,
  mean: 1,
  ack: 1,
  busy: 0.5,
  retransmits: 0,
  unanswered: 0,
  lost: 0,
  awake: null,
  watts: null,
  celsius: null,
  headroom: null,
  wakeups: null,
  mhz: null,
}

/** Twelve pairs that halve p99, each a little other. */
export const halved = (on: Partial<Slice> = {}, off: Partial<Slice> = {}): Pair[] =>
  Array.from({ length: 12 }, (_, index) => ({
    on: { ...SLICE, p99: 0.5 + index / 1000, ...on },
    off: { ...SLICE, ...off },
  }))
