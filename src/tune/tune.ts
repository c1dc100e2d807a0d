import type { Random } from '../statistics/random.js'
import { median } from '../statistics/summary.js'
import { type Allowances, isBetter, type Judgement, judge } from './judge.js'
import { planLooks } from './looks.js'
import { type Goal, type Limit, type Pair, READ, type Slice } from './slice.js'
import { type Bench, confirm, runTrial, type TrialResult } from './trial.js'

/** Where candidates are tried: turns each on or off, takes one back for good, and looks at the traffic. */
export type Host<Candidate> = {
  set: (candidate: Candidate, isOn: boolean) => Promise<void>
  drop: (candidate: Candidate) => Promise<void>
  /** Whether both would set the same place: they can't be on together. */
  overlap: (a: Candidate, b: Candidate) => boolean
  measure: Bench['measure']
}

export type TuneOptions<Candidate> = {
  goal: Goal
  allow: Allowances
  random: Random
  /** Milliseconds, from whenever. */
  now: () => number
  /** By `now`: when everything is to be done. */
  deadline: number
  /** Nothing more is tried once this is reached. */
  target?: Limit | undefined
  onTrial?: (candidate: Candidate, number: number) => void
}

/** What became of a candidate. */
export type Trial<Candidate> = { candidate: Candidate } & TrialResult

/** What a run of tuning has come to: what is on when it ends is `kept`. */
export type TuneResult<Candidate> = {
  trials: Trial<Candidate>[]
  kept: Candidate[]
  /** All that was kept together, against nothing; null when nothing was. */
  whole: Judgement | null
  /** The medians of slices, without anything and with all that is kept; null where none were measured. */
  before: Summary | null
  after: Summary | null
}

export type Summary = Omit<Slice, 'requests' | 'seconds'> & { throughput: number }

/** Of the time, this part is for the comparison of everything with nothing, at the end. */
const FINAL_SHARE = 0.15

/**
 * Tries candidates one after the other, each on top of what was kept before; keeps those that are proven to help (greedy
 * forward selection). Then takes each that was kept out in turn, but for the last, and leaves out what no longer earns its
 * place; then compares all with nothing, and keeps nothing if together they don't help. With a target it stops trying
 * when that is reached, and then gives back what it is reached without, what costs most CPU time first.
 */
export const tune = async <Candidate>(
  host: Host<Candidate>,
  candidates: readonly Candidate[],
  options: TuneOptions<Candidate>,
): Promise<TuneResult<Candidate>> => {
  const { goal, allow, random, now, deadline } = options
  const looks = planLooks(candidates.length)
  const trials: Trial<Candidate>[] = []
  let kept: Candidate[] = []
  let before: Summary | null = null
  const begin = now()
  const end = deadline - (deadline - begin) * FINAL_SHARE
  const benchOf = (...several: Candidate[]): Bench => ({
    set: async isOn => {
      for (const candidate of isOn ? several : several.toReversed()) await host.set(candidate, isOn)
    },
    measure: host.measure,
  })

  for (const [index, candidate] of candidates.entries()) {
    if (kept.some(other => host.overlap(other, candidate))) {
      const reason = 'what it would set is set by what was kept'
      trials.push({ candidate, pairs: [], decision: 'undecided', reason, judgement: null, needed: null })
      await host.drop(candidate)
      continue
    }
    options.onTrial?.(candidate, index + 1)
    const until = now() + (end - now()) / (candidates.length - index)
    const result = await runTrial(benchOf(candidate), {
      goal,
      looks,
      allow,
      random,
      hasTime: () => now() < until,
    })
    trials.push({ candidate, ...result })
    if (kept.length === 0) before = summarize(result.pairs.map(({ off }) => off)) ?? before
    if (result.decision === 'kept') {
      await host.set(candidate, true)
      kept.push(candidate)
      const slices = result.pairs.map(({ on }) => on)
      if (meets(slices, options.target)) break
    } else {
      await host.drop(candidate)
    }
  }

  const trialOf = (candidate: Candidate): Trial<Candidate> | undefined =>
    trials.find(each => each.candidate === candidate)
  const leaveOut = async (candidate: Candidate, reason: string): Promise<void> => {
    await host.drop(candidate)
    kept = kept.filter(other => other !== candidate)
    const trial = trialOf(candidate)
    if (trial === undefined) return
    trial.decision = 'undone'
    trial.reason = reason
  }
  const hasTime = (): boolean => now() < deadline
  const compare = async (several: Candidate[]): Promise<{ judgement: Judgement; pairs: Pair[] } | null> => {
    const pairs = await confirm(benchOf(...several), { random, hasTime })
    return pairs.length === 0 ? null : { pairs, judgement: judge(pairs, { goal, alpha: 1, allow, random }) }
  }
  for (const candidate of kept.slice(0, -1)) {
    const compared = await compare([candidate])
    if (compared === null || isBetter(compared.pairs, goal)) continue
    await leaveOut(candidate, 'it no longer earns its place beside what was kept later')
  }

  if (options.target !== undefined && (await meetsWith(host, options))) {
    const costOf = (candidate: Candidate): number => trialOf(candidate)?.judgement?.guards.cpu.estimate ?? 1
    for (const candidate of kept.toSorted((a, b) => costOf(b) - costOf(a))) {
      await host.set(candidate, false)
      if (await meetsWith(host, options)) await leaveOut(candidate, 'the target is reached without it')
      else await host.set(candidate, true)
    }
  }

  if (kept.length === 0) return { trials, kept, whole: null, before, after: null }
  const last = await compare(kept)
  // A single one has its own trial for a proof.
  const isConfirmed = last === null ? kept.length === 1 : isBetter(last.pairs, goal)
  if (!isConfirmed) {
    for (const candidate of kept.toReversed())
      await leaveOut(candidate, 'in the end, all together were not better than nothing')
  }
  return {
    trials,
    kept,
    whole: last?.judgement ?? null,
    before: summarize(last?.pairs.map(({ off }) => off) ?? []) ?? before,
    after: isConfirmed ? summarize(last?.pairs.map(({ on }) => on) ?? []) : null,
  }
}

/** So many slices tell whether a target is reached. */
const SLICES_TO_MEET = 8

const meets = (slices: readonly Slice[], target: Limit | undefined): boolean =>
  target !== undefined && slices.length > 0 && median(slices.map(READ[target.quantity])) < target.ns

/** Looks whether the target is reached as things are. */
const meetsWith = async <Candidate>(
  host: Host<Candidate>,
  { target, now, deadline }: TuneOptions<Candidate>,
): Promise<boolean> => {
  const slices: Slice[] = []
  while (slices.length < SLICES_TO_MEET && now() < deadline) slices.push(await host.measure())
  return meets(slices, target)
}

/** Gives the median of what is known; null where nothing is. */
export const ofKnown = (slices: readonly Slice[], read: (slice: Slice) => number | null): number | null => {
  const known = slices.flatMap(slice => read(slice) ?? [])
  return known.length === 0 ? null : median(known)
}

const summarize = (slices: readonly Slice[]): Summary | null => {
  if (slices.length === 0) return null
  const of = (read: (slice: Slice) => number): number => median(slices.map(read))
  return {
    p50: of(slice => slice.p50),
    p99: of(slice => slice.p99),
    p999: of(slice => slice.p999),
    mean: of(slice => slice.mean),
    busy: of(slice => slice.busy),
    retransmits: slices.reduce((sum, { retransmits }) => sum + retransmits, 0),
    throughput: of(slice => slice.requests / slice.seconds),
    watts: ofKnown(slices, slice => slice.watts),
    celsius: ofKnown(slices, slice => slice.celsius),
  }
}
