import type { Random } from '../statistics/random.js'
import { median } from '../statistics/summary.js'
import { type Allowances, isBetter, type Judgement, judge } from './judge.js'
import { looksLeft, planLooks } from './looks.js'
import { type Aim, aimFor, type Goal, type Limit, READ, type Slice } from './slice.js'
import { type Bench, confirm, PAIRS_TO_CONFIRM, runTrial, SettingRefused, type TrialResult } from './trial.js'

/** Where candidates are tried: turns each on or off, takes one back for good, and looks at the traffic. */
export type Host<Candidate> = {
  set: (candidate: Candidate, isOn: boolean) => Promise<void>
  /** Sets a candidate and looks for its effect: why it has none, or null. Throws a SettingRefused. */
  verify: (candidate: Candidate) => Promise<string | null>
  drop: (candidate: Candidate) => Promise<void>
  /** Whether both would set the same place: they can't be on together. */
  overlap: (a: Candidate, b: Candidate) => boolean
  /** Whether it changes how long packets wait before the first stage: then acknowledgements tell. */
  isBeforeStages: (candidate: Candidate) => boolean
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
  onTrial?: (candidate: Candidate, number: number, of: number) => void
}

/** What became of a candidate. */
export type Trial<Candidate> = { candidate: Candidate } & TrialResult

/** What a run of tuning has come to: what is on when it ends is `kept`. */
export type TuneResult<Candidate> = {
  trials: Trial<Candidate>[]
  kept: Candidate[]
  /** All that was kept together, against nothing; null when nothing was, or there was no time for it. */
  whole: Judgement | null
  /** The medians of slices, without anything and with all that is kept; null where none were measured. */
  before: Summary | null
  after: Summary | null
  /** Whether what is kept reaches the target, by the slices that `after` is of; false without one. */
  isReached: boolean
}

export type Summary = Omit<Slice, 'requests' | 'seconds' | 'ack'> & { throughput: number }

/** So many slices tell what the traffic is like before anything is tried, and whether a target is reached. */
const SLICES_BEFORE = 4
const SLICES_TO_MEET = 8
/** Confirming at the end may take so much of the time. */
const MOST_FINAL_SHARE = 0.3
/** Of the confirming pairs, fewer than these can't tell. */
const FEWEST_TO_CONFIRM = 6

/**
 * Tries candidates one after the other, each on top of what was kept before, and keeps those that are proven to help
 * (greedy forward selection); those that were only not proven are tried once more when others were kept after them. Then
 * takes each that was kept out in turn, but for the last, and leaves out what no longer earns its place; then compares all
 * with nothing, and keeps nothing if together they don't help, or leaves out what is too dear until the guards hold. With
 * a target it stops trying when that is reached, and then gives back what it is reached without, what costs most CPU
 * time or energy first.
 */
export const tune = async <Candidate>(
  host: Host<Candidate>,
  candidates: readonly Candidate[],
  options: TuneOptions<Candidate>,
): Promise<TuneResult<Candidate>> => {
  const run = new Run(host, candidates, options)
  await run.lookBefore()
  await run.select()
  await run.leaveOutIdle()
  await run.giveBack()
  return run.confirmAll()
}

/** One run of tuning, step by step. */
class Run<Candidate> {
  readonly #trials = new Map<Candidate, Trial<Candidate>>()
  #kept: Candidate[] = []
  #before: Slice[] = []
  /** The latest known slices with what is kept: what a collapse is told by. */
  #usual: Slice[] = []
  /** How long a pair of slices takes here, with the switches. */
  #pairMs = 0

  constructor(
    private readonly host: Host<Candidate>,
    private readonly candidates: readonly Candidate[],
    private readonly options: TuneOptions<Candidate>,
  ) {}

  /** Learns what the traffic is like as things are. */
  async lookBefore(): Promise<void> {
    const begin = this.options.now()
    this.#before = await this.#measure(SLICES_BEFORE)
    this.#usual = this.#before
    if (this.#before.length > 0) this.#pairMs = (2.5 * (this.options.now() - begin)) / this.#before.length
  }

  /** Forward selection. */
  async select(): Promise<void> {
    const looks = planLooks(this.candidates.length)
    const { now, deadline } = this.options
    const left = deadline - now()
    // For looking once more at one of those that were kept, and for all of them together.
    const end =
      this.candidates.length === 1
        ? deadline
        : deadline - Math.min(left * MOST_FINAL_SHARE, 2 * this.#confirmingMs)
    const tryAll = async (several: readonly Candidate[]): Promise<void> => {
      for (const [index, candidate] of several.entries()) {
        if (this.#isReached()) return
        if (this.#kept.some(other => this.host.overlap(other, candidate))) {
          if (!this.#trials.has(candidate))
            this.#note(candidate, 'undecided', 'what it would set is set by what was kept')
          continue
        }
        this.options.onTrial?.(candidate, index + 1, several.length)
        const now = this.options.now()
        await this.#try(candidate, looks, now + (end - now) / (several.length - index))
      }
    }
    await tryAll(this.candidates)
    // What was kept since may have made room for those that came before it.
    const last = this.candidates.indexOf(this.#kept.at(-1) as Candidate)
    await tryAll(this.candidates.slice(0, Math.max(0, last)).filter(each => this.#mayRetry(each)))
    for (const candidate of this.candidates)
      if (!this.#kept.includes(candidate)) await this.host.drop(candidate)
  }

  #mayRetry(candidate: Candidate): boolean {
    const trial = this.#trials.get(candidate)
    return trial?.mayRetry === true && trial.looked < planLooks(this.candidates.length).at.length
  }

  async #try(candidate: Candidate, looks: ReturnType<typeof planLooks>, until: number): Promise<void> {
    const { allow, random, now } = this.options
    const bench = this.#benchOf([candidate])
    const earlier = this.#trials.get(candidate)
    let isVerified = earlier !== undefined
    const checked: Bench = {
      ...bench,
      set: async isOn => {
        // The effect itself, once, before anything is told from the traffic.
        if (!isOn || isVerified) return bench.set(isOn)
        isVerified = true
        const missing = await this.host.verify(candidate)
        if (missing !== null) throw new SettingRefused(missing)
      },
    }
    const begin = now()
    const result = await runTrial(checked, {
      aim: this.#aimOf([candidate]),
      looks: looksLeft(looks, earlier?.looked ?? 0),
      allow,
      random,
      before: this.#usual,
      hasTime: () => now() < until,
    })
    const pairs = result.pairs.length
    if (pairs > 0) this.#pairMs = (now() - begin) / pairs
    this.#trials.set(candidate, {
      candidate,
      ...result,
      looked: result.looked + (earlier?.looked ?? 0),
      mayRetry: result.mayRetry && earlier === undefined,
    })
    if (result.decision !== 'kept') return
    await this.host.set(candidate, true)
    this.#kept.push(candidate)
    this.#usual = result.pairs.slice(-SLICES_BEFORE).map(({ on }) => on)
  }

  /** Backward selection: all but the last, whose trial was made beside all the others. */
  async leaveOutIdle(): Promise<void> {
    const { now, deadline } = this.options
    // All of them together matter more; and fewer pairs would tell nothing of that.
    const least = (this.#confirmingMs * FEWEST_TO_CONFIRM) / PAIRS_TO_CONFIRM
    const end = deadline - Math.max(least, Math.min((deadline - now()) / 2, this.#confirmingMs))
    for (const candidate of this.#kept.slice(0, -1)) {
      const { pairs, collapse } = await this.#confirm([candidate], end)
      if (collapse !== null) await this.#leaveOut(candidate, `beside what was kept later, ${collapse}`)
      else if (pairs.length >= FEWEST_TO_CONFIRM && !isBetter(pairs, this.#aimOf([candidate])))
        await this.#leaveOut(candidate, 'it no longer earns its place beside what was kept later')
    }
  }

  /** With a target: gives back what it is reached without, the dearest first. */
  async giveBack(): Promise<void> {
    const { target } = this.options
    if (target === undefined || !(await this.#meets(target))) return
    for (const candidate of this.#dearestFirst()) {
      await this.host.set(candidate, false)
      if (await this.#meets(target)) await this.#leaveOut(candidate, 'the target is reached without it')
      else await this.host.set(candidate, true)
    }
  }

  /** Compares all that was kept with nothing, and gives what came of it all. */
  async confirmAll(): Promise<TuneResult<Candidate>> {
    const { allow, random, deadline } = this.options
    // Of a single one, its own trial was that comparison.
    const [only] = this.candidates.length === 1 ? this.#trials.values() : []
    let whole: Judgement | null = only?.judgement ?? null
    let slices: { off: Slice[]; on: Slice[] } | null = null
    while (this.#kept.length > 0 && only === undefined) {
      const { pairs, collapse } = await this.#confirm(this.#kept, deadline)
      if (collapse !== null) {
        await this.#leaveAllOut(`in the end, with all together, ${collapse}`)
        break
      }
      if (pairs.length < FEWEST_TO_CONFIRM) {
        // Each was proven on top of those before it, and no guard was seen to break.
        if (whole?.broken != null) await this.#leaveAllOut(`in the end, with all together, ${whole.broken}`)
        break
      }
      const aim = this.#aimOf(this.#kept)
      whole = judge(pairs, { aim, alpha: 1, allow, random })
      slices = { off: pairs.map(({ off }) => off), on: pairs.map(({ on }) => on) }
      const [dearest] = this.#dearestFirst()
      if (!isBetter(pairs, aim)) {
        await this.#leaveAllOut('in the end, all together were not better than nothing')
      } else if (whole.broken !== null && dearest !== undefined) {
        await this.#leaveOut(dearest, `together with the others, ${whole.broken}`)
        if (this.#kept.length > 0) continue
      }
      break
    }
    const after = this.#kept.length === 0 ? [] : (slices?.on ?? this.#slicesOfLast())
    return {
      trials: this.candidates.flatMap(candidate => this.#trials.get(candidate) ?? []),
      kept: this.#kept,
      whole: this.#kept.length === 0 ? null : whole,
      before: summarize(slices?.off ?? this.#before),
      after: summarize(after),
      isReached: meets(after, this.options.target),
    }
  }

  #slicesOfLast(): Slice[] {
    const last = this.#kept.at(-1)
    return last === undefined ? [] : (this.#trials.get(last)?.pairs.map(({ on }) => on) ?? [])
  }

  /** How long it takes to confirm something. */
  get #confirmingMs(): number {
    return PAIRS_TO_CONFIRM * this.#pairMs * 1.1
  }

  #isReached(): boolean {
    return meets(this.#slicesOfLast(), this.options.target)
  }

  async #meets(target: Limit): Promise<boolean> {
    return meets(await this.#measure(SLICES_TO_MEET), target)
  }

  async #measure(count: number): Promise<Slice[]> {
    const { now, deadline } = this.options
    const slices: Slice[] = []
    while (slices.length < count && now() < deadline) slices.push(await this.host.measure())
    return slices
  }

  #confirm(several: readonly Candidate[], end: number): ReturnType<typeof confirm> {
    const { random, now } = this.options
    return confirm(this.#benchOf(several), { random, before: this.#before, hasTime: () => now() < end })
  }

  /** What these are judged by. */
  #aimOf(several: readonly Candidate[]): Aim {
    return aimFor(
      this.options.goal,
      several.some(candidate => this.host.isBeforeStages(candidate)),
    )
  }

  #benchOf(several: readonly Candidate[]): Bench {
    return {
      set: async isOn => {
        for (const candidate of isOn ? several : several.toReversed()) await this.host.set(candidate, isOn)
      },
      measure: isEnough => this.host.measure(isEnough),
    }
  }

  #dearestFirst(): Candidate[] {
    const costOf = (candidate: Candidate): number => {
      const guards = this.#trials.get(candidate)?.judgement?.guards
      return guards?.energy?.estimate ?? guards?.cpu?.estimate ?? 1
    }
    return this.#kept.toSorted((a, b) => costOf(b) - costOf(a))
  }

  async #leaveAllOut(reason: string): Promise<void> {
    for (const candidate of this.#kept.toReversed()) await this.#leaveOut(candidate, reason)
  }

  async #leaveOut(candidate: Candidate, reason: string): Promise<void> {
    await this.host.drop(candidate)
    this.#kept = this.#kept.filter(other => other !== candidate)
    const trial = this.#trials.get(candidate)
    if (trial !== undefined) this.#trials.set(candidate, { ...trial, decision: 'undone', reason })
  }

  #note(candidate: Candidate, decision: Trial<Candidate>['decision'], reason: string): void {
    const nothing = { pairs: [], judgement: null, needed: null, looked: 0, mayRetry: false }
    this.#trials.set(candidate, { candidate, decision, reason, ...nothing })
  }
}

const meets = (slices: readonly Slice[], target: Limit | undefined): boolean =>
  target !== undefined && slices.length > 0 && median(slices.map(READ[target.quantity])) < target.ns

/** Gives the median of what is known; null where nothing is. */
export const ofKnown = (slices: readonly Slice[], read: (slice: Slice) => number | null): number | null => {
  const known = slices.flatMap(slice => read(slice) ?? [])
  return known.length === 0 ? null : median(known)
}

const summarize = (all: readonly Slice[]): Summary | null => {
  // A slice without requests has no times.
  const slices = all.filter(({ requests }) => requests > 0)
  if (slices.length === 0) return null
  const of = (read: (slice: Slice) => number): number => median(slices.map(read))
  const sum = (read: (slice: Slice) => number): number =>
    slices.reduce((total, slice) => total + read(slice), 0)
  return {
    p50: of(slice => slice.p50),
    p99: of(slice => slice.p99),
    p999: of(slice => slice.p999),
    mean: of(slice => slice.mean),
    busy: of(slice => slice.busy),
    retransmits: sum(slice => slice.retransmits),
    unanswered: sum(slice => slice.unanswered),
    throughput: of(slice => slice.requests / slice.seconds),
    watts: ofKnown(slices, slice => slice.watts),
    celsius: ofKnown(slices, slice => slice.celsius),
    headroom: ofKnown(slices, slice => slice.headroom),
    wakeups: ofKnown(slices, slice => slice.wakeups),
    mhz: ofKnown(slices, slice => slice.mhz),
  }
}
