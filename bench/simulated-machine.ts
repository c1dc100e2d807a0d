import { createRandom, type Random } from '../src/statistics/random.js'
import { ALLOWANCES } from '../src/tune/judge.js'
import type { Limit, Slice } from '../src/tune/slice.js'
import { tune } from '../src/tune/tune.js'

/** What a setting does to a machine, as factors. */
export type Effect = {
  name: string
  p99: number
  p50?: number
  mean?: number
  throughput?: number
  busy?: number
  place?: string
}

const SLICE_MS = 300
const SETTLE_MS = 100

const drawNormal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/**
 * A machine with noise as one has it: each slice by itself, disturbances of about ten seconds now and then that make the tail
 * several times as long, and a load that changes on the way.
 */
export const simulate = (seed: number, { noise = 0.15, load = (_ms: number): number => 1 } = {}) => {
  const random = createRandom(seed)
  const on = new Set<Effect>()
  let ms = 0
  let disturbedUntil = 0
  const measure = async (isEnough?: (soFar: Slice) => boolean): Promise<Slice> => {
    ms += SLICE_MS
    if (random() < SLICE_MS / 40_000) disturbedUntil = ms + 20_000 * random()
    const disturbance = ms < disturbedUntil ? 1 + 3 * random() : 1
    const factor = (read: (effect: Effect) => number | undefined): number =>
      [...on].reduce((product, effect) => product * (read(effect) ?? 1), 1)
    const jitter = (size: number): number => Math.exp(size * drawNormal(random))
    const rate = 10_000 * load(ms) * factor(({ throughput }) => throughput) * jitter(0.02)
    const slice: Slice = {
      requests: Math.round((rate * SLICE_MS) / 1000),
      seconds: SLICE_MS / 1000,
      p50: 50_000 * factor(({ p50 }) => p50) * jitter(0.03),
      p99: 400_000 * disturbance * load(ms) * factor(({ p99 }) => p99) * jitter(noise),
      p999: 2_000_000 * disturbance * jitter(noise * 2),
      mean: 70_000 * factor(({ mean }) => mean) * jitter(0.04),
      busy: 0.4 * factor(({ busy }) => busy) * jitter(0.05),
      retransmits: 0,
      watts: null,
      celsius: null,
    }
    isEnough?.(slice)
    return slice
  }
  const host = {
    set: async (effect: Effect, isOn: boolean) => {
      ms += SETTLE_MS
      if (isOn) on.add(effect)
      else on.delete(effect)
    },
    drop: async (effect: Effect) => {
      on.delete(effect)
    },
    overlap: (a: Effect, b: Effect) => a.place !== undefined && a.place === b.place,
    measure,
  }
  const run = (candidates: Effect[], minutes = 3, target?: Limit) =>
    tune(host, candidates, {
      goal: 'p99',
      allow: ALLOWANCES,
      random: createRandom(seed + 1),
      now: () => ms,
      deadline: minutes * 60_000,
      target,
    })
  return { run, on }
}
