import { createRandom, type Random } from '../src/statistics/random.js'
import { ALLOWANCES, type Allowances } from '../src/tune/judge.js'
import { InterferenceError, SettingRefused } from '../src/tune/refused.js'
import type { Goal, Limit, Slice, SoFar } from '../src/tune/slice.js'
import { type Step, tune } from '../src/tune/tune.js'

/** What a setting does to a machine, as factors; `refused`, and `missing` when it has no effect, are why. */
export type Effect = {
  name: string
  p99: number
  p50?: number
  p999?: number
  mean?: number
  throughput?: number
  busy?: number
  watts?: number
  unanswered?: number
  place?: string
  /** Of the time until a reply is acknowledged, of which a card holds packets back. */
  ack?: number
  isBeforeStages?: true
  refused?: string
  missing?: string
  /** From this moment on somebody else has it as they like. */
  takenAt?: number
  /** Of the requests, the share that is missing in the counts. */
  lost?: number
}

/** What a slice is like by itself, with nothing set: requests a second, times in nanoseconds. */
export type Usual = Pick<Slice, 'p50' | 'p99' | 'p999' | 'mean' | 'busy'> & { rate: number }

/** The machine's own doing: what a slice that begins now is like. */
export type Noise = (ms: number) => Usual

const ACK_NS = 500_000
const ACK_NOISE = 0.1
const SLICE_MS = 300
const STEP_MS = 50
const SETTLE_MS = 100

export const drawNormal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** What is made up of the noise that `invent` gives. */
export type Invented = {
  /** The standard deviation of the logarithm of a slice's 99th percentile. */
  size?: number
  /** How much of a slice's noise the next one has as well, from 0 to 1 (an AR(1) process). */
  memory?: number
  /** Something that comes back every so many milliseconds, and makes the tail so many times as long for half of them. */
  wave?: { ms: number; times: number }
  /** Requests a second, and what becomes of them with time, as a factor. */
  rate?: number
  load?: (ms: number) => number
  /** Without disturbances. */
  calm?: boolean
}

/**
 * Invents noise: each slice's own, disturbances of up to 20 seconds now and then that make the tail several times as long,
 * and a load that changes on the way.
 */
export const invent = (
  random: Random,
  {
    size = 0.15,
    memory = 0,
    wave = { ms: 1, times: 1 },
    rate = 10_000,
    load = () => 1,
    calm = false,
  }: Invented = {},
): Noise => {
  let disturbedUntil = 0
  let state = drawNormal(random)
  return ms => {
    if (!calm && random() < SLICE_MS / 40_000) disturbedUntil = ms + 20_000 * random()
    const disturbance = ms < disturbedUntil ? 1 + 3 * random() : 1
    state = memory * state + Math.sqrt(1 - memory ** 2) * drawNormal(random)
    const tail = disturbance * (ms % wave.ms < wave.ms / 2 ? wave.times : 1) * load(ms)
    const jitter = (deviation: number): number => Math.exp(deviation * drawNormal(random))
    return {
      rate: rate * load(ms) * jitter(0.02),
      p50: 50_000 * jitter(0.03) * (1 + 0.05 * (tail - 1)),
      p99: 400_000 * tail * Math.exp(size * state),
      p999: 2_000_000 * tail * jitter(size * 2),
      mean: 70_000 * jitter(0.04) * (1 + 0.1 * (tail - 1)),
      busy: 0.4 * jitter(0.05),
    }
  }
}

/** How many of a step's requests are slower, where each is with this chance; luck decides, the same for all limits. */
const countSlower = ({ requests, luck }: { requests: number; luck: number }, share: number): number => {
  const expected = requests * share
  // Poisson's distribution, and the normal one where that is as good.
  if (expected > 50) {
    const normal = Math.log(luck / (1 - luck)) / 1.702
    return Math.min(requests, Math.max(0, Math.round(expected + Math.sqrt(expected) * normal)))
  }
  let chance = Math.exp(-expected)
  let sum = chance
  let count = 0
  while (sum < luck && count < requests) {
    count++
    chance *= expected / count
    sum += chance
  }
  return count
}

/** What share of requests takes longer: by the median and the percentiles, on straight lines between their logarithms. */
const shareBeyond = ({ p50, p99, p999 }: Pick<Slice, 'p50' | 'p99' | 'p999'>, ns: number): number => {
  const points = [
    { ns: p50, share: 0.5 },
    { ns: Math.max(p99, p50 * 1.01), share: 0.01 },
    { ns: Math.max(p999, p99 * 1.05, p50 * 1.05), share: 0.001 },
  ]
  const [first, second, third] = points as [(typeof points)[0], (typeof points)[0], (typeof points)[0]]
  if (ns <= first.ns) return 0.5
  const [from, to] = ns < second.ns ? [first, second] : [second, third]
  const slope = Math.log(to.share / from.share) / Math.log(to.ns / from.ns)
  return from.share * (ns / from.ns) ** slope
}

/** A machine with noise, of which settings are tried. */
export const simulate = (seed: number, noise: Noise = invent(createRandom(seed))) => {
  const random = createRandom(seed ^ 0x5bd1e995)
  const ofSteps = createRandom(seed ^ 0x1b873593)
  const ofAcks = createRandom(seed ^ 0x2545f491)
  const on = new Set<Effect>()
  const abandoned: Effect[] = []
  let ms = 0
  const measure = async (isEnough?: (soFar: SoFar) => boolean): Promise<Slice> => {
    const usual = noise(ms)
    const factor = (read: (effect: Effect) => number | undefined): number =>
      [...on].reduce((product, effect) => product * (read(effect) ?? 1), 1)
    const expected = usual.rate * factor(({ throughput }) => throughput) * (STEP_MS / 1000)
    const times = {
      p50: usual.p50 * factor(({ p50 }) => p50),
      p99: usual.p99 * factor(({ p99 }) => p99),
      p999: usual.p999 * factor(({ p999 }) => p999),
      mean: usual.mean * factor(({ mean }) => mean),
      ack: ACK_NS * factor(({ ack }) => ack) * Math.exp(ACK_NOISE * drawNormal(ofAcks)),
    }
    let requests = 0
    let stepMs = 0
    const steps: { requests: number; luck: number }[] = []
    const soFar = (): SoFar => ({
      requests,
      seconds: stepMs / 1000,
      ...times,
      countSlower: ns => steps.reduce((sum, step) => sum + countSlower(step, shareBeyond(times, ns)), 0),
    })
    do {
      stepMs += STEP_MS
      const came = Math.max(0, Math.round(expected + Math.sqrt(expected) * drawNormal(random)))
      steps.push({ requests: came, luck: ofSteps() })
      requests += came
    } while (stepMs < SLICE_MS && !isEnough?.(soFar()))
    isEnough?.(soFar())
    ms += stepMs
    return {
      requests,
      seconds: stepMs / 1000,
      ...times,
      busy: usual.busy * factor(({ busy }) => busy),
      retransmits: 0,
      lost: [...on].reduce((sum, effect) => sum + Math.round((effect.lost ?? 0) * requests), 0),
      awake: null,
      unanswered: [...on].reduce((sum, effect) => sum + (effect.unanswered ?? 0), 0),
      watts: 10 * factor(({ watts, busy }) => watts ?? busy),
      celsius: null,
      headroom: null,
      wakeups: null,
      mhz: null,
    }
  }
  /** As taut finds it: what somebody else has set by now is theirs. */
  const heed = (effect: Effect): void => {
    if (effect.takenAt === undefined || ms < effect.takenAt) return
    on.delete(effect)
    throw new InterferenceError(`someone else has set ${effect.name}`)
  }
  const host = {
    set: async (effect: Effect, isOn: boolean) => {
      ms += SETTLE_MS
      heed(effect)
      if (isOn) on.add(effect)
      else on.delete(effect)
    },
    verify: async (effect: Effect) => {
      if (effect.refused !== undefined) throw new SettingRefused(effect.refused)
      await host.set(effect, true)
      return effect.missing ?? null
    },
    check: async (effect: Effect) => heed(effect),
    drop: async (effect: Effect) => {
      heed(effect)
      on.delete(effect)
    },
    abandon: async (effect: Effect) => {
      abandoned.push(effect)
      on.delete(effect)
    },
    overlap: (a: Effect, b: Effect) => a.place !== undefined && a.place === b.place,
    isBeforeStages: (effect: Effect) => effect.isBeforeStages === true,
    measure,
  }
  const run = (
    candidates: readonly Effect[],
    {
      minutes = 3,
      goal = 'p99',
      target,
      allow,
      onStep,
      onPair,
    }: {
      minutes?: number
      goal?: Goal
      target?: Limit
      allow?: Partial<Allowances>
      onStep?: (step: Step<Effect>) => void
      onPair?: (pairs: number) => void
    } = {},
  ) =>
    tune(host, candidates, {
      goal,
      allow: { ...ALLOWANCES, ...allow },
      random: createRandom(seed + 1),
      now: () => ms,
      deadline: minutes * 60_000,
      target,
      ...(onStep && { onStep }),
      ...(onPair && { onPair }),
    })
  return { run, on, abandoned, now: () => ms }
}
