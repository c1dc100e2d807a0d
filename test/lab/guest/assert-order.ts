import { isInTotal, STAGES } from '../../../src/latency/stages.js'
import { DELAY_US, type Injection, REQUESTS } from '../../attribution/injection.js'
import { measureDelayed } from '../../attribution/measure.js'
import type { Machine } from '../../attribution/world.js'
import { assertExact, spreadMean } from '../../kernel/support/assertions.js'

/** Emulated, whatever runs beside a delay takes its time as well, and falls on other stages: but never the larger part. */
const FOUND_THERE = 0.5

/**
 * Asserts that the stage that grows most is the one that was delayed, and that at least half of the delay is found there,
 * by the clock of what delays.
 */
export const assertOrder = async <M extends Machine>(machine: M, injection: Injection<M>): Promise<void> => {
  const { t } = machine
  const [base, delayed] = [
    await measureDelayed(machine, injection, 0),
    await measureDelayed(machine, injection, DELAY_US),
  ]
  for (const { document } of [base, delayed]) {
    // Emulated, an interrupt often comes while a probe runs; that is told, and no request is left out for it.
    assertExact(t, { ...document, pipelined: 0, lost: { ...document.lost, recursion: 0 } }, REQUESTS)
  }
  const injected = (delayed.injectedNs - base.injectedNs) / REQUESTS / 1000
  // `ack` lies outside of the total, and moves when the next request does.
  const moved = STAGES.filter(name => isInTotal(name) || name === injection.stage)
    .map(name => ({ name, us: spreadMean(delayed.document, name) - spreadMean(base.document, name) }))
    .sort((a, b) => b.us - a.us)
  const said = `${Math.round(injected)} µs injected: ${moved.map(({ name, us }) => `${name} ${Math.round(us)}`).join(', ')}`
  t.log(said)
  t.is(moved[0]?.name, injection.stage, said)
  t.true((moved[0]?.us ?? 0) >= injected * FOUND_THERE, said)
}
