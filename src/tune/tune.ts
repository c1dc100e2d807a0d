import type { Random } from '../statistics/random.js'
import { median } from '../statistics/summary.js'
import { type Confirmation, confirm, FEWEST_TO_CONFIRM, PAIRS_TO_CONFIRM } from './confirm.js'
import type { Host } from './host.js'
import { type Allowances, isSurelyMet, isWorse, type Judgement, judge } from './judge.js'
import { type Looks, looksLeft, planLooks } from './looks.js'
import { OtherHands } from './other-hands.js'
import type { Bench } from './pair.js'
import { SettingRefused } from './refused.js'
import { type Aim, type Goal, type Guard, type Limit, type Pair, READ, type Slice } from './slice.js'
import { type Summary, summarize } from './summary.js'
import { runTrial, type TrialResult } from './trial.js'
import { Usual } from './usual.js'

/** What is being done: with which candidate, null where it is with all that are kept; and its number of so many. */
export type Step<Candidate> = {
  is: 'trial' | 'leaving-out' | 'giving-back' | 'confirming'
  candidate: Candidate | null
  number: number
  of: number
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
  onStep?: (step: Step<Candidate>) => void
  /** Is told how many pairs of slices a step has, with each more. */
  onPair?: (pairs: number) => void
}

/** What became of a candidate. */
export type Trial<Candidate> = { candidate: Candidate } & TrialResult

/** What a run of tuning has come to: what is on when it ends is `kept`. */
export type TuneResult<Candidate> = {
  trials: Trial<Candidate>[]
  kept: Candidate[]
  /**
   * All that was kept together, against nothing; of a single one, that may be its own trial. Null when nothing was, or there was no
   * time for it.
   */
  whole: Judgement | null
  /** The medians of slices, without anything and with all that is kept; null where none were measured. */
  before: Summary | null
  after: Summary | null
  /** Whether what is kept reaches the target, by the slices that `after` is of; false without one. */
  isReached: boolean
}

/** So many slices tell what the traffic is like before anything is tried; fewer where they would take a tenth of the time. */
const SLICES_BEFORE = { least: 4, most: 8, share: 0.1 }
/** Confirming at the end may take so much of the time. */
const MOST_FINAL_SHARE = 0.3
/** Of fewer pairs the median is not told: the first one takes as long as it takes to look for the effect as well. */
const FEW_PAIRS = 3
/** Pairs of slices may take so many times as long as the last ones. */
const MARGIN = 1.1
/** How likely it is that a run has a trial stopped for a collapse that is none. */
const FALSE_ALARM_OF_A_RUN = 0.01

/**
 * Tries candidates one after the other, each on top of what was kept before, and keeps those that are proven to help
 * (greedy forward selection). They share the time, but none is tried for less than it takes to prove anything, and a gain
 * that is seen has what it takes to be proven: where that leaves too little for all, the last ones are not tried. Those
 * that were only not proven are tried once more when others were kept after them. Then takes each that was kept out in
 * turn, but for the last, and leaves out what no longer earns its place; then compares all with nothing, and keeps nothing
 * if together they don't help, or leaves out what is too dear until the guards hold. With a target it stops trying when
 * that is reached, and then gives back what it is surely reached without, what costs most CPU time or energy first. What
 * somebody else sets meanwhile is theirs for the rest of the run.
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

/** What is kept, compared with nothing. */
type Compared = { judgement: Judgement; pairs: readonly Pair[] }

/** By when a trial is to end. */
type Until = {
  share: number
  /** Where a gain is seen, and may be proven. */
  gainSeen: number
  /** Before its first look. */
  firstLook: number
}

/** One run of tuning, step by step. */
class Run<Candidate> {
  readonly #trials = new Map<Candidate, Trial<Candidate>>()
  readonly #hands: OtherHands<Candidate>
  #kept: Candidate[] = []
  /** Nothing else was kept when it was tried. */
  #firstKept: Candidate | null = null
  #before: Slice[] = []
  /** The latest known slices with what is kept: what a collapse is told by. */
  #latest: Slice[] = []
  /** How long a pair of slices takes here, with the switches: those of the last trial, and where that was least. */
  #pairMs = 0
  #quickestPairMs = 0
  #falseAlarm = FALSE_ALARM_OF_A_RUN

  constructor(
    private readonly host: Host<Candidate>,
    private readonly candidates: readonly Candidate[],
    private readonly options: TuneOptions<Candidate>,
  ) {
    this.#hands = new OtherHands(host, (candidate, reason) => {
      if (!this.#kept.includes(candidate)) return
      this.#kept = this.#kept.filter(other => other !== candidate)
      this.#redecide(candidate, 'interfered', reason)
    })
  }

  /** Learns what the traffic is like as things are. */
  async lookBefore(): Promise<void> {
    const begin = this.options.now()
    this.#before = await this.#measure()
    this.#latest = this.#before
    if (this.#before.length === 0) return
    this.#pairMs = (2.5 * (this.options.now() - begin)) / this.#before.length
    this.#quickestPairMs = this.#pairMs
    this.#falseAlarm = FALSE_ALARM_OF_A_RUN / Math.max(1, (this.options.deadline - begin) / this.#pairMs)
  }

  /** Forward selection. */
  async select(): Promise<void> {
    const looks = planLooks(this.candidates.length)
    const { now, deadline, onStep, target } = this.options
    const [fewest = 0] = looks.at
    const mostFinal = (deadline - now()) * MOST_FINAL_SHARE
    const tryAll = async (several: readonly Candidate[]): Promise<void> => {
      for (const [index, candidate] of several.entries()) {
        if (this.#isReached()) return
        if (this.#isOutOfReach(candidate)) continue
        // For looking once more at one of those that were kept, and for all of them together.
        const untilFinal = (ms: number): number =>
          deadline - now() - (this.candidates.length === 1 ? 0 : Math.min(mostFinal, ms))
        const shared = untilFinal(2 * this.#confirmingMs)
        // The trial of the first one that is kept is a comparison with nothing. What is given back takes a comparison more.
        const leastFinal = this.#kept.length === 0 ? 0 : this.#leastConfirmingMs
        const most = target === undefined ? untilFinal(leastFinal) : shared
        const least = fewest * this.#quickestPairMs * MARGIN
        if (most < least && this.#hasMeasured) {
          this.#noteNoTime(candidate, fewest, least)
          continue
        }
        onStep?.({ is: 'trial', candidate, number: index + 1, of: several.length })
        const tried = Math.max(1, Math.min(several.length - index, Math.floor(shared / least)))
        const share = Math.min(most, Math.max(least, shared / tried))
        const until = { share: now() + share, gainSeen: now() + shared, firstLook: now() + most }
        await this.#try(candidate, looks, until)
      }
    }
    await tryAll(this.candidates)
    // What was kept since may have made room for those that came before it.
    const last = this.candidates.indexOf(this.#kept.at(-1) as Candidate)
    await tryAll(this.candidates.slice(0, Math.max(0, last)).filter(each => this.#mayRetry(each)))
    for (const candidate of this.candidates) {
      if (this.#kept.includes(candidate) || this.#hands.has(candidate)) continue
      await this.#hands.unlessTaken(candidate, () => this.host.drop(candidate))
    }
  }

  /** Whether a trial has told how many pairs it would take. */
  get #hasMeasured(): boolean {
    return [...this.#trials.values()].some(({ pairs }) => pairs.length > 1)
  }

  #noteNoTime(candidate: Candidate, pairs: number, ms: number): void {
    if (this.#trials.has(candidate)) return
    const needs = `the ${pairs} pairs of slices that it takes to prove anything, about ${Math.ceil(ms / 1000)} s`
    this.#note(candidate, 'undecided', `there was no time left for ${needs} (try: --for longer)`)
  }

  /** Whether what it would set is set by another one that is kept, or by somebody else; which is noted. */
  #isOutOfReach(candidate: Candidate): boolean {
    if (this.#hands.has(candidate)) return true
    const isTaken = this.#hands.hold(candidate)
    if (!isTaken && !this.#kept.some(other => this.host.overlap(other, candidate))) return false
    if (this.#trials.has(candidate)) return true
    if (isTaken) this.#note(candidate, 'interfered', 'someone else sets what it would set')
    else this.#note(candidate, 'undecided', 'what it would set is set by what was kept')
    return true
  }

  #mayRetry(candidate: Candidate): boolean {
    const trial = this.#trials.get(candidate)
    return trial?.mayRetry === true && trial.looked < planLooks(this.candidates.length).at.length
  }

  async #try(candidate: Candidate, looks: Looks, until: Until): Promise<void> {
    for (;;) {
      const result = await this.#tryOnce(candidate, looks, until)
      if (result.decision === 'kept') return this.#keep(candidate, result)
      if (result.decision !== 'interfered' || this.#hands.has(candidate)) {
        if (result.pairs.length > 0) this.#latest = result.pairs.map(({ off }) => off)
        return
      }
      // It was one of those that are kept: what was seen beside that is of another machine, and the looks at it are spent.
      this.#latest = await this.#measure()
    }
  }

  async #tryOnce(candidate: Candidate, looks: Looks, until: Until): Promise<TrialResult> {
    const { allow, random, now } = this.options
    const bench = this.#benchOf([candidate])
    const earlier = this.#trials.get(candidate)
    let isVerified = earlier !== undefined && earlier.pairs.length > 0
    const checked: Bench = {
      ...bench,
      set: async isOn => {
        // The effect itself, once, before anything is told from the traffic.
        if (!isOn || isVerified) return bench.set(isOn)
        isVerified = true
        const missing = await this.#hands.heed(candidate, () => this.host.verify(candidate))
        if (missing !== null) throw new SettingRefused(missing)
      },
    }
    const times: number[] = []
    let last = now()
    const onPair = (pairs: number): void => {
      times.push(now() - last)
      last = now()
      this.options.onPair?.(pairs)
    }
    const pairMsHere = (): number => (times.length < FEW_PAIRS ? this.#pairMs : median(times))
    const result = await runTrial(checked, {
      aim: this.#aimOf([candidate]),
      looks: looksLeft(looks, earlier?.looked ?? 0),
      allow,
      random,
      usual: this.#usualOf(this.#latest),
      hasTime: () => now() < until.share,
      canReachFirstLook: pairs => now() + pairs * pairMsHere() < until.firstLook,
      canProve: pairs => now() + pairs * pairMsHere() < until.gainSeen,
      onPair,
    })
    this.#pairMs = pairMsHere()
    this.#quickestPairMs = Math.min(this.#pairMs, this.#quickestPairMs || this.#pairMs)
    this.#trials.set(candidate, {
      candidate,
      ...result,
      looked: result.looked + (earlier?.looked ?? 0),
      mayRetry: result.mayRetry && earlier === undefined,
    })
    return result
  }

  async #keep(candidate: Candidate, { pairs }: TrialResult): Promise<void> {
    if (this.#kept.length === 0) this.#firstKept = candidate
    this.#kept.push(candidate)
    this.#latest = pairs.map(({ on }) => on)
    await this.#restore()
  }

  /** Backward selection: all but the last, whose trial was made beside all the others. */
  async leaveOutIdle(): Promise<void> {
    const { now, deadline } = this.options
    // All of them together matter more; and fewer pairs would tell nothing of that.
    const reserve = Math.max(this.#leastConfirmingMs, Math.min((deadline - now()) / 2, this.#confirmingMs))
    const several = this.#kept.slice(0, -1)
    for (const [index, candidate] of several.entries()) {
      this.options.onStep?.({ is: 'leaving-out', candidate, number: index + 1, of: several.length })
      const left = deadline - reserve - now()
      // Each may take a share of the time, and all of it while there is enough for the others.
      const end =
        now() +
        Math.max(left / (several.length - index), left - this.#confirmingMs * (several.length - index - 1))
      const { pairs, isBetter, collapse } = await this.#confirmOne(candidate, end)
      if (isBetter !== false || !this.#kept.includes(candidate)) continue
      const why = collapse === null ? 'it no longer earns its place' : collapse
      await this.#leaveOut(candidate, `beside what was kept later, ${why}`)
      this.#latest = pairs.length > 0 ? pairs.map(({ off }) => off) : await this.#measure()
    }
  }

  /** With a target: gives back what it is surely reached without, the dearest first. */
  async giveBack(): Promise<void> {
    const { target, random, now, deadline } = this.options
    if (target === undefined || !this.#isReached()) return
    const several = this.#dearestFirst('energy')
    for (const [index, candidate] of several.entries()) {
      this.options.onStep?.({ is: 'giving-back', candidate, number: index + 1, of: several.length })
      const end = now() + (deadline - this.#confirmingMs - now()) / (several.length - index)
      const { pairs, isBetter, collapse } = await this.#confirmOne(candidate, end)
      if (isBetter === null || !this.#kept.includes(candidate)) continue
      const without = pairs.map(({ off }) => off)
      if (collapse === null && !isSurelyMet(without, target, random)) continue
      await this.#leaveOut(candidate, collapse ?? 'the target is reached without it')
      this.#latest = without.length > 0 ? without : await this.#measure()
    }
  }

  /** Compares all that was kept with nothing, and gives what came of it all. */
  async confirmAll(): Promise<TuneResult<Candidate>> {
    const { deadline, onStep } = this.options
    // Of a single one, its own trial was that comparison.
    let compared: Compared | null = this.candidates.length === 1 ? this.#comparedByTrial : null
    while (this.#kept.length > 0) {
      if (this.candidates.length > 1) {
        onStep?.({ is: 'confirming', candidate: null, number: 1, of: 1 })
        // A guard that may be broken, or not, is worth more pairs.
        const isOpen = (pairs: readonly Pair[]): boolean =>
          this.#judgeWhole(pairs).broken?.isCertain === false
        const confirmation = await this.#confirm(this.#kept, deadline, this.#before, isOpen)
        const own = this.#mayBeShort(confirmation) ? this.#comparedByTrial : null
        const isBetter = own === null ? confirmation.isBetter : null
        if (own !== null) compared = own
        else if (isBetter !== null)
          compared = { judgement: this.#judgeWhole(confirmation.pairs), pairs: confirmation.pairs }
        if (await this.#leaveOutFailed({ ...confirmation, isBetter }, compared?.judgement ?? null)) continue
        if (isBetter === null && own === null) compared = null
      }
      if (await this.#areInForce()) break
      compared = null
    }
    const isAnyKept = this.#kept.length > 0
    const after = isAnyKept ? (compared?.pairs.map(({ on }) => on) ?? this.#latest) : []
    return {
      trials: this.candidates.flatMap(candidate => this.#trials.get(candidate) ?? []),
      kept: this.#kept,
      whole: isAnyKept ? (compared?.judgement ?? null) : null,
      before: summarize(compared?.pairs.map(({ off }) => off) ?? this.#before),
      after: summarize(after),
      isReached: meets(isAnyKept ? after : this.#latest, this.options.target),
    }
  }

  /** Did time or traffic end before a comparison could tell what it has not shown? Not if it has shown harm. */
  #mayBeShort({ isBetter, collapse, pairs }: Confirmation): boolean {
    if (isBetter === true || collapse !== null || pairs.length >= PAIRS_TO_CONFIRM) return false
    if (pairs.length < FEWEST_TO_CONFIRM) return true
    const hasHarmed =
      this.#judgeWhole(pairs).broken?.isCertain === true ||
      isWorse(pairs, this.#aimOf(this.#kept), this.options.random)
    return !hasHarmed
  }

  /** The trial of the only one that is kept, if nothing was when it was tried; null else. */
  get #comparedByTrial(): Compared | null {
    const [only, ...others] = this.#kept
    if (only === undefined || others.length > 0 || only !== this.#firstKept) return null
    const { judgement, pairs } = this.#trials.get(only) ?? { judgement: null, pairs: [] }
    return judgement === null ? null : { judgement, pairs }
  }

  #judgeWhole(pairs: readonly Pair[]): Judgement {
    const { allow, random } = this.options
    return judge(pairs, { aim: this.#aimOf(this.#kept), alpha: 1, allow, random })
  }

  /** Leaves out what did not stand the comparison with nothing; tells whether there is another one to be made. */
  async #leaveOutFailed({ isBetter, collapse }: Confirmation, whole: Judgement | null): Promise<boolean> {
    const [dearest] = this.#dearestFirst(whole?.broken?.guard ?? 'energy')
    if (collapse !== null) {
      await this.#leaveAllOut(`in the end, with all together, ${collapse}`)
    } else if (isBetter === null) {
      // Each was proven on top of those before it, and no guard was seen to break.
      if (whole?.broken != null)
        await this.#leaveAllOut(`in the end, with all together, ${whole.broken.reason}`)
    } else if (!isBetter) {
      await this.#leaveAllOut('in the end, all together were not better than nothing')
    } else if (whole?.broken != null && dearest !== undefined) {
      await this.#leaveOut(dearest, `together with the others, ${whole.broken.reason}`)
      return this.#kept.length > 0
    }
    return false
  }

  /** Whether all that is kept is as it was set. */
  async #areInForce(): Promise<boolean> {
    const count = this.#kept.length
    await this.#restore()
    return this.#kept.length === count
  }

  /** Has all that is kept in force, but for what somebody else has set. */
  async #restore(): Promise<void> {
    for (const candidate of [...this.#kept]) {
      await this.#hands.unlessTaken(candidate, async () => {
        await this.host.set(candidate, true)
        await this.host.check(candidate)
      })
    }
  }

  /** How long it takes to confirm something. */
  get #confirmingMs(): number {
    return PAIRS_TO_CONFIRM * this.#pairMs * MARGIN
  }

  /** The same of as few pairs as tell anything; the trial before may be over late by one, and to switch all takes longer. */
  get #leastConfirmingMs(): number {
    return (FEWEST_TO_CONFIRM + 2) * this.#pairMs * MARGIN
  }

  #isReached(): boolean {
    return this.#kept.length > 0 && meets(this.#latest, this.options.target)
  }

  /** Looks at the traffic with what is kept, which is all that is on. */
  async #measure(): Promise<Slice[]> {
    const { now, deadline } = this.options
    const { least, most, share } = SLICES_BEFORE
    const soon = now() + (deadline - now()) * share
    const slices: Slice[] = []
    while (slices.length < most && now() < (slices.length < least ? deadline : soon)) {
      const slice = await this.host.measure()
      await this.#restore()
      slices.push(slice)
    }
    return slices
  }

  /** Compares one that is kept with being without it. */
  #confirmOne(candidate: Candidate, end: number): Promise<Confirmation> {
    const without = this.#trials.get(candidate)?.pairs.map(({ off }) => off) ?? []
    return this.#confirm([candidate], end, without)
  }

  /**
   * Compares candidates that are kept with being without them, which was like those slices; anew where somebody else sets one of
   * what is kept meanwhile.
   */
  async #confirm(
    several: readonly Candidate[],
    end: number,
    usual: readonly Slice[],
    isOpen: (pairs: readonly Pair[]) => boolean = () => false,
  ): Promise<Confirmation> {
    const { random, now } = this.options
    for (;;) {
      const left = several.filter(candidate => this.#kept.includes(candidate))
      const confirmation = await confirm(this.#benchOf(left), {
        aim: this.#aimOf(left),
        random,
        usual: this.#usualOf(usual),
        isOpen,
        hasTime: () => left.length > 0 && now() < end,
        onPair: this.options.onPair,
      })
      if (!confirmation.isInterfered) return confirmation
      await this.#restore()
    }
  }

  #usualOf(slices: readonly Slice[]): Usual {
    return new Usual(slices, this.#falseAlarm)
  }

  /** What these are judged by. */
  #aimOf(several: readonly Candidate[]): Aim {
    return {
      goal: this.options.goal,
      withAck: several.some(candidate => this.host.isBeforeStages(candidate)),
    }
  }

  #benchOf(several: readonly Candidate[]): Bench {
    return this.#hands.benchOf(several, () => this.#kept)
  }

  /** By what each took of a guard in its own trial; of energy, where it is not told, CPU time stands for it. */
  #dearestFirst(guard: Guard): Candidate[] {
    const costOf = (candidate: Candidate): number => {
      const guards = this.#trials.get(candidate)?.judgement?.guards
      return guards?.[guard]?.estimate ?? guards?.cpu?.estimate ?? 1
    }
    return this.#kept.toSorted((a, b) => costOf(b) - costOf(a))
  }

  async #leaveAllOut(reason: string): Promise<void> {
    for (const candidate of this.#kept.toReversed()) await this.#leaveOut(candidate, reason)
  }

  async #leaveOut(candidate: Candidate, reason: string): Promise<void> {
    if (!(await this.#hands.unlessTaken(candidate, () => this.host.drop(candidate)))) return
    this.#kept = this.#kept.filter(other => other !== candidate)
    this.#redecide(candidate, 'undone', reason)
  }

  #redecide(candidate: Candidate, decision: TrialResult['decision'], reason: string): void {
    const trial = this.#trials.get(candidate)
    if (trial !== undefined)
      this.#trials.set(candidate, { ...trial, decision, reason, needed: null, mayRetry: false })
  }

  #note(candidate: Candidate, decision: TrialResult['decision'], reason: string): void {
    const nothing = { pairs: [], judgement: null, needed: null, looked: 0, mayRetry: false }
    this.#trials.set(candidate, { candidate, decision, reason, ...nothing })
  }
}

const meets = (slices: readonly Slice[], target: Limit | undefined): boolean =>
  target !== undefined && slices.length > 0 && median(slices.map(READ[target.quantity])) < target.ns
