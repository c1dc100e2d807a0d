import test from 'ava'
import { ClockMean } from '../../src/advise/clock.js'
import type { CpuTimes } from '../../src/system/cpu-times.js'

const times = (...busy: number[]): CpuTimes[] =>
  busy.map((ticks, cpu) => ({ cpu, busy: ticks, idle: 1000 - ticks, softirq: 0, steal: 0 }))

const policy = (cpus: number[], khz: number | null, maxKhz: number | null = 2_000_000) => ({
  cpus,
  khz,
  maxKhz,
  governor: 'schedutil',
})

test('frequencies count by how long their CPUs were busy', t => {
  const clock = new ClockMean()
  t.is(clock.share, null)
  clock.add(times(0, 0), times(30, 10), [policy([0], 1_000_000), policy([1], 2_000_000)])
  t.is(clock.share, (30 * 0.5 + 10) / 40)
})

test('what idle CPUs have as their clock does not count', t => {
  const clock = new ClockMean()
  clock.add(times(5, 5), times(5, 25), [policy([0], 400_000), policy([1], 2_000_000)])
  t.is(clock.share, 1)
})

test('a boost above the limit is no more than the highest, and what is not told is left out', t => {
  const clock = new ClockMean()
  clock.add(times(0, 0), times(10, 10), [policy([0], 3_000_000), policy([1], null), policy([1], 1, 0)])
  t.is(clock.share, 1)
})
