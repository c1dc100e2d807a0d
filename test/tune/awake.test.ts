import test from 'ava'
import { awakeBetween, meanMhzBetween, type Rest } from '../../src/tune/awake.js'

const restOf = (
  idle: [us: number, deepUs: number] | null,
  ticks: [ticks: number, mhzTicks: number] | null,
): Rest => ({
  idle: idle && { us: idle[0], deepUs: idle[1] },
  frequencies: ticks && { ticks: ticks[0], mhzTicks: ticks[1] },
})

test('idle time counts as awake by how shallow it was', t => {
  const before = restOf([1000, 400], null)
  t.is(awakeBetween(before, restOf([2000, 1400], null), 0.2), 0.2, 'in the deepest state alone')
  t.is(awakeBetween(before, restOf([2000, 900], null), 0.2), 0.2 + 0.8 * 0.5)
  t.is(awakeBetween(before, restOf([2000, 400], null), 0.2), 1, 'polling')
  // A CPU that slept all the time was in one state, and has not left it.
  t.is(awakeBetween(before, before, 0.2), 0.2)
})

test('the frequency counts where its mean is known, and on both sides of a ratio or on none', t => {
  const before = restOf(null, [100, 60_000])
  const after = restOf(null, [200, 240_000])
  t.is(meanMhzBetween(before, after), 1800)
  t.is(awakeBetween(before, after, 0.5), 900)
  t.is(awakeBetween(before, before, 0.5), null)
  t.is(awakeBetween(restOf(null, null), restOf(null, null), 0.5), null)
})
