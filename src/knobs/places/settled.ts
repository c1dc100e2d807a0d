import { setTimeout } from 'node:timers/promises'
import { isSameValue, type Place, readPlace } from './place.js'

const STEP_MS = 20
const STEPS = 10

/**
 * Gives what a place holds, as readPlace does, but looks again for 0.2 s while it is none of what is expected. The kernel moves
 * an interrupt when that comes next, and for an instant shows where it was before (irq_move_masked_irq of kernel/irq/migration.c
 * clears the mark of the move before it makes it).
 */
export const readSettled = async (place: Place, ...expected: readonly string[]): Promise<string | null> => {
  for (let step = 0; ; step++) {
    const now = await readPlace(place)
    if (now === null || step === STEPS || expected.some(value => isSameValue(place, now, value))) return now
    await setTimeout(STEP_MS)
  }
}
