import { setTimeout } from 'node:timers/promises'
import type { Effect, Look } from './knob.js'

const PATIENCE_MS = 1000
const POLL_MS = 20

/** What was written had no effect; in words that are the same for all knobs. */
export const noEffect = (evidence: string): Effect => ({
  state: 'no-effect',
  evidence: `accepted by the kernel, no effect seen: ${evidence}`,
})

/** Gives what looks where there is nothing to see: what was written reads back, and why that is all. */
export const readsBack =
  (why: string): Look =>
  async () => ({
    state: 'written',
    evidence: `it reads back; ${why}`,
  })

/** Looks until there is an effect to tell of, for a second; then gives what `last` says. Throws when the signal is aborted. */
export const watchFor = async (
  look: () => Effect | null,
  last: () => Effect,
  signal: AbortSignal,
): Promise<Effect> => {
  const end = performance.now() + PATIENCE_MS
  for (;;) {
    const effect = look()
    if (effect !== null) return effect
    if (performance.now() > end) return last()
    await setTimeout(POLL_MS, undefined, { signal })
  }
}
