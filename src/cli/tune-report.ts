import { type Advice, commandsOf } from '../advise/all.js'
import type { Entry } from '../journal/entry.js'
import { describePlace } from '../knobs/places/place.js'
import type { Lost } from '../latency/counts.js'
import type { MeasureDocument } from '../latency/document.js'
import { round, roundKnown } from '../latency/round.js'
import { printable } from '../text/printable.js'
import { createStyle } from '../text/style.js'
import { formatCount, formatDuration, formatShare } from '../text/units.js'
import { reportWidth, wrap } from '../text/width.js'
import type { Judgement, Ratio } from '../tune/judge.js'
import { type Goal, GUARDS, type Guard, type Limit, type Pair, type Slice, sumSides } from '../tune/slice.js'
import { ofKnown, type Summary } from '../tune/summary.js'
import type { TuneResult } from '../tune/tune.js'
import { countsAck, isBeforeStages, type LeftOut, type Proposal } from './proposal.js'
import { formatLost, type ReportOptions } from './report.js'

/** What tuning came to: what was seen first, what was advised, what was left out, what became of the rest, and what of it stays. */
export type Outcome = {
  document: MeasureDocument
  advice: readonly Advice[]
  leftOut: readonly LeftOut[]
  result: TuneResult<Proposal>
  entries: readonly Entry[]
  /** The target, if there is one, and whether it was reached before anything was tried. */
  limit: Limit | null
  isMet: boolean
  /** Over the whole run. */
  lost: Lost
  /** What energy is told by, and why by something that stands in for it. */
  energy: { by: string; isStandIn: boolean; why: string | null }
}

const ratioDocument = ({ estimate, low, high }: Ratio) => ({
  estimate: round(estimate),
  low: round(low),
  high: round(high),
})

/** Trials go by the time that a request takes of the throughput; a document by the throughput itself. */
const ratioOf = (quantity: Goal | Guard, { estimate, low, high }: Ratio): Ratio =>
  quantity === 'throughput'
    ? { estimate: 1 / estimate, low: 1 / high, high: 1 / low }
    : { estimate, low, high }

const summaryDocument = (summary: Summary | null) =>
  summary && {
    p50_us: round(summary.p50 / 1000),
    p99_us: round(summary.p99 / 1000),
    p999_us: round(summary.p999 / 1000),
    mean_us: round(summary.mean / 1000),
    requests_per_second: round(summary.throughput),
    cpu_busy_share: round(summary.busy),
    watts: roundKnown(summary.watts),
    celsius: roundKnown(summary.celsius),
  }

/** The same of the first look, which told nothing of the machine's costs. */
const lookDocument = ({ total, requests, seconds }: MeasureDocument) => ({
  p50_us: total.p50_us,
  p99_us: total.p99_us,
  p999_us: total.p999_us,
  mean_us: total.mean_us,
  requests_per_second: round(requests / seconds),
  cpu_busy_share: null,
  watts: null,
  celsius: null,
})

/** The costs that only the hardware or a driver tells. */
const METERED = ['watts', 'celsius', 'wakeups', 'mhz'] as const

type Both = { on: number; off: number }

/** The medians with it and without it; null where they are not known. */
const bothOf = (pairs: readonly Pair[], read: (slice: Slice) => number | null): Both | null => {
  const [on, off] = (['on', 'off'] as const).map(side =>
    ofKnown(
      pairs.map(pair => pair[side]),
      read,
    ),
  )
  return on == null || off == null ? null : { on: round(on), off: round(off) }
}

/**
 * What it takes: CPU time, and watts and degrees where the hardware tells. Where nothing tells watts, CPU time, the share of
 * time that the CPUs idled, how often they woke up and their frequency stand in for it, as far as the kernel tells them.
 */
const costDocument = (pairs: readonly Pair[], judgement: Judgement | null) => {
  const [watts = null, celsius = null, wakeups = null, mhz = null] = METERED.map(name =>
    bothOf(pairs, slice => slice[name]),
  )
  return {
    cpu: judgement?.guards.cpu === undefined ? null : ratioDocument(judgement.guards.cpu),
    watts,
    celsius,
    stand_in:
      watts === null
        ? {
            for: 'watts',
            idle_share: bothOf(pairs, slice => 1 - slice.busy),
            awake: bothOf(pairs, slice => slice.awake),
            wakeups_per_second: wakeups,
            mhz,
          }
        : null,
  }
}

/** The same for people; nothing before there are pairs enough to judge. */
const describeCost = (
  pairs: readonly Pair[],
  judgement: Judgement | null,
  { by, why }: Outcome['energy'],
): string[] => {
  const cpu = judgement?.guards.cpu
  if (cpu === undefined) return []
  const energy = judgement?.guards.energy
  const { watts, celsius, stand_in } = costDocument(pairs, judgement)
  const change = (both: Both | null, format: (value: number) => string, unit: string): string[] =>
    both === null ? [] : [`${format(both.off)} → ${format(both.on)} ${unit}`]
  const tenths = (value: number): string => value.toFixed(1)
  const costs = [
    `CPU time ${describeRatio(cpu)}`,
    ...change(watts, tenths, 'W'),
    ...change(celsius, tenths, '°C'),
  ]
  const standIns =
    stand_in === null
      ? []
      : [
          ...change(stand_in.idle_share, share => (share * 100).toFixed(0), '% of the time idle'),
          ...change(stand_in.wakeups_per_second, formatCount, 'wake-ups a second'),
          ...change(stand_in.mhz, formatCount, 'MHz'),
        ]
  return [
    `cost, without it → with it: ${costs.join(', ')}`,
    ...(energy === undefined || stand_in === null ? [] : [`energy, by ${by}, ${describeRatio(energy)}`]),
    ...(standIns.length === 0 ? [] : [`in place of watts (${why}): ${standIns.join(', ')}`]),
  ]
}

const changesOf = ({ plans }: Proposal) =>
  plans.flatMap(({ wish, changes }) =>
    changes.map(({ place, from, to }) => ({
      knob: wish.knob.name,
      where: describePlace(place),
      from,
      to,
      why: wish.why,
    })),
  )

/** What went wrong in the slices of a trial, with it and without it. */
const mishapsDocument = (pairs: readonly Pair[]) => ({
  retransmits: sumSides(pairs, slice => slice.retransmits),
  unanswered: sumSides(pairs, slice => slice.unanswered),
})

const guardsDocument = ({ guards }: Judgement) =>
  Object.fromEntries(
    GUARDS.flatMap(name => {
      const ratio = guards[name]
      return ratio === undefined ? [] : [[name, ratioDocument(ratioOf(name, ratio))]]
    }),
  )

/** What is in the way that no setting helps against. */
const listHopeless = (advice: readonly Advice[]): Advice[] =>
  advice.filter(({ settings }) => settings.length === 0)

const hopelessDocument = (advice: readonly Advice[]) =>
  listHopeless(advice).map(({ rule, finding, evidence }) => ({ rule, finding, evidence }))

const leftOutDocument = (several: readonly LeftOut[]) =>
  several.map(({ advice: { rule, finding, settings }, ...rest }) => ({ rule, finding, settings, ...rest }))

/**
 * What `taut tune --json` prints. A ratio is of with to without: 0.8 is a fifth less. There is one row for each place that was
 * set; rows of one trial have its number in common.
 */
export const tuneDocument = (
  goal: Goal,
  {
    document,
    advice,
    leftOut,
    result: { trials, kept, whole, before, after, isReached },
    entries,
    isMet,
    lost,
    energy,
  }: Outcome,
) => ({
  schema: 1,
  goal,
  target: document.target,
  reached: isMet || isReached,
  lost: { ...lost },
  energy: { by: energy.by, stand_in: energy.isStandIn, why: energy.why },
  before: summaryDocument(before) ?? lookDocument(document),
  trials: trials.flatMap(({ candidate, pairs, decision, reason, judgement, needed }, index) =>
    changesOf(candidate).map(change => ({
      trial: index + 1,
      rule: candidate.advice.rule,
      ...change,
      pairs: pairs.length,
      goal: judgement && ratioDocument(ratioOf(goal, judgement.goal)),
      goal_with_ack: countsAck(goal, [candidate]),
      guards: judgement && guardsDocument(judgement),
      guards_with_ack: isBeforeStages(candidate),
      mishaps: mishapsDocument(pairs),
      cost: costDocument(pairs, judgement),
      decision,
      reason,
      pairs_needed: needed?.pairs ?? null,
      pairs_needed_for_gain: needed === null ? null : round(needed.gain),
    })),
  ),
  left_out: leftOutDocument(leftOut),
  no_setting_helps: hopelessDocument(advice),
  kept: kept.flatMap(candidate => changesOf(candidate).map(({ knob, where, to }) => ({ knob, where, to }))),
  whole: whole && ratioDocument(ratioOf(goal, whole.goal)),
  whole_with_ack: countsAck(goal, kept),
  after: summaryDocument(after),
  undo: entries[0] === undefined ? null : `taut revert ${entries[0].id}`,
})

/** What `taut tune --dry-run --json` prints: what would be tried, in this order. */
export const planDocument = (
  goal: Goal,
  { target, lost }: MeasureDocument,
  proposals: readonly Proposal[],
  leftOut: readonly LeftOut[],
  advice: readonly Advice[],
) => ({
  schema: 1,
  goal,
  target,
  lost,
  plan: proposals.map(proposal => ({ ...proposal.advice, changes: changesOf(proposal) })),
  left_out: leftOutDocument(leftOut),
  no_setting_helps: hopelessDocument(advice),
})

/** What would be tried, for people. */
export const formatPlan = (
  proposals: readonly Proposal[],
  leftOut: readonly LeftOut[],
  advice: readonly Advice[],
  { columns }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const lines = [
    ...(proposals.length === 0
      ? wrap(`There is nothing ${elseOf(leftOut)}to try.`, width)
      : ['Would be tried, in this order:']),
    ...proposals.flatMap(({ advice: each }, index) => [
      ...wrap(`${index + 1}. ${printable(each.finding)}`, width),
      ...commandsOf(each).map(line => `   ${line}`),
    ]),
    ...leftOut.flatMap(each => formatLeftOut(each, width)),
    ...hopeless(advice).flatMap(text => wrap(text, width)),
  ]
  return `${lines.join('\n')}\n`
}

/** What was left out is something. */
const elseOf = (leftOut: readonly LeftOut[]): string => (leftOut.length === 0 ? '' : 'else ')

const hopeless = (advice: readonly Advice[]): string[] =>
  listHopeless(advice).map(
    ({ finding }) => `${printable(finding.charAt(0).toUpperCase() + finding.slice(1))}.`,
  )

/** What was advised and is not tried, because the user said so or this machine can't. */
const formatLeftOut = (leftOut: LeftOut, width: number): string[] => {
  const { advice, by } = leftOut
  return [
    ...wrap(`${by === 'machine' ? 'NOT HERE' : `LEFT OUT by ${by}`}: ${printable(advice.finding)}`, width),
    ...commandsOf(advice).map(line => `   ${line}`),
    ...(leftOut.by === 'machine' ? wrap(printable(leftOut.why), width - 3).map(line => `   ${line}`) : []),
  ]
}

/** What tuning did and how to go back, for people, ending in a line break. */
export const formatTune = (
  goal: Goal,
  { advice, leftOut, result, entries, limit, isMet, lost, energy }: Outcome,
  { columns, color }: ReportOptions,
): string => {
  const { trials, kept, whole, before, after, isReached } = result
  const width = reportWidth(columns)
  const style = createStyle(color)
  const sections = trials.map(trial => {
    const title = `${trial.decision.toUpperCase()}: ${printable(trial.candidate.advice.finding)}`
    const paint = trial.decision === 'kept' ? style.green : style.dim
    return [
      ...wrap(title, width).map(line => paint(line)),
      ...commandsOf(trial.candidate.advice).map(line => `   ${line}`),
      ...describeTrial(goal, trial, energy).flatMap(text => wrap(text, width - 3).map(line => `   ${line}`)),
    ]
  })
  const end = [
    ...wrap(
      isMet ? 'The target is reached already; nothing was changed.' : describeEnd(goal, result, leftOut),
      width,
    ),
    ...(kept.length > 0 && whole === null ? wrap(describeUncompared(kept.length), width) : []),
    ...formatChange(goal, before, after, width),
    ...(Object.values(lost).some(count => count > 0) ? formatLost(lost, width, style) : []),
    ...(isMet || limit === null ? [] : wrap(describeTarget(limit, isReached), width)),
    ...(entries[0] === undefined ? [] : [`To go back: taut revert ${entries[0].id}`]),
  ]
  const untried = leftOut.map(each => formatLeftOut(each, width).map(line => style.dim(line)))
  const others = hopeless(advice).flatMap(text => wrap(text, width))
  return `${[...sections, ...untried, others, end]
    .filter(section => section.length > 0)
    .map(section => section.join('\n'))
    .join('\n\n')}\n`
}

/** What these were judged by. */
const nameOf = (goal: Goal, several: readonly Proposal[]): string =>
  countsAck(goal, several) ? `${goal} and the time until replies are acknowledged` : goal

/** What was found out about one candidate: each a sentence. */
const describeTrial = (
  goal: Goal,
  { candidate, pairs, reason, judgement, needed }: TuneResult<Proposal>['trials'][number],
  energy: Outcome['energy'],
): string[] => {
  const what = nameOf(goal, [candidate])
  const goalRatio = judgement && ratioOf(goal, judgement.goal)
  return [
    ...(goalRatio === null ? [] : [`${what} ${describeRatio(goalRatio)}, ${pairs.length} pairs of slices`]),
    ...(judgement === null ? [] : describeGuards(goal, judgement)),
    ...describeCost(pairs, judgement, energy),
    reason,
    ...(needed === null
      ? []
      : [
          `to prove a gain of ${formatShare(needed.gain)} would take about ${needed.pairs} pairs${needed.isWithinReach ? ' (try: --for longer, or --only fewer)' : ', more than a trial may have: it can not be proven in this noise'}`,
        ]),
  ]
}

/** Of what must not get worse; CPU time and energy are told as costs. */
const describeGuards = (goal: Goal, { guards }: Judgement): string[] => {
  const told = GUARDS.flatMap(name => {
    const ratio = guards[name]
    return ratio === undefined || [goal, 'cpu', 'energy'].includes(name)
      ? []
      : `${name} ${describeRatio(ratioOf(name, ratio))}`
  })
  return told.length === 0 ? [] : [`guarded: ${told.join(', ')}`]
}

const describeTarget = ({ quantity, ns }: Limit, isReached: boolean): string =>
  isReached
    ? 'The target is reached.'
    : `The target is not reached: ${quantity} is not below ${formatDuration(ns / 1000)}.`

const describeUncompared = (kept: number): string =>
  kept === 1
    ? 'It was proven beside others; there was no time, or no traffic, to compare it with nothing.'
    : 'Each was proven on top of those before it; there was no time, or no traffic, to compare all with nothing.'

const describeEnd = (
  goal: Goal,
  { trials, kept, whole, isReached }: TuneResult<Proposal>,
  leftOut: readonly LeftOut[],
): string => {
  if (trials.length === 0) return `There was nothing ${elseOf(leftOut)}to try; nothing was changed.`
  if (kept.length === 0)
    return isReached
      ? 'It takes nothing of this any more; everything is as it was.'
      : 'Nothing was proven to help; everything is as it was.'
  const together =
    whole === null
      ? ''
      : `; ${kept.length === 1 ? '' : 'together: '}${nameOf(goal, kept)} ${describeRatio(ratioOf(goal, whole.goal))}`
  return `${kept.length} of ${trials.length} kept${together}.`
}

const formatChange = (goal: Goal, before: Summary | null, after: Summary | null, width: number): string[] => {
  if (before === null || after === null) return []
  const line = (name: string, read: (summary: Summary) => number): string =>
    `${name} ${formatDuration(read(before) / 1000)} → ${formatDuration(read(after) / 1000)}`
  const changes = [
    line('p50', ({ p50 }) => p50),
    line('p99', ({ p99 }) => p99),
    ...(goal === 'p99.9' ? [line('p99.9', ({ p999 }) => p999)] : []),
    line('mean', ({ mean }) => mean),
    ...(goal === 'throughput'
      ? [`${formatCount(before.throughput)} → ${formatCount(after.throughput)} requests a second`]
      : []),
    ...(goal === 'energy' ? [describeEnergy(before, after)] : []),
  ]
  return wrap(changes.join(', '), width)
}

const describeEnergy = (before: Summary, after: Summary): string => {
  if (before.watts !== null && after.watts !== null)
    return `${before.watts.toFixed(1)} → ${after.watts.toFixed(1)} W`
  const [was, is] =
    before.awake !== null && after.awake !== null ? [before.awake, after.awake] : [before.busy, after.busy]
  return `energy, by what stands in for it, ${describeChange(is / was)} %`
}

/** A ratio as a change, with its interval. */
const describeRatio = ({ estimate, low, high }: Ratio): string =>
  `${describeChange(estimate)} % (95 %: ${describeChange(low)} to ${describeChange(high)} %)`

const describeChange = (ratio: number): string => {
  const percent = Math.round((ratio - 1) * 100)
  return `${percent > 0 ? '+' : ''}${percent}`
}
