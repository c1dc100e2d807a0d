import { type Advice, commandsOf } from '../advise/all.js'
import type { Entry } from '../journal/entry.js'
import { describePlace } from '../knobs/places/place.js'
import type { MeasureDocument } from '../latency/document.js'
import { round, roundKnown } from '../latency/round.js'
import { printable } from '../text/printable.js'
import { createStyle } from '../text/style.js'
import { formatDuration } from '../text/units.js'
import { reportWidth, wrap } from '../text/width.js'
import type { Judgement, Ratio } from '../tune/judge.js'
import type { Goal, Pair } from '../tune/slice.js'
import { ofKnown, type Summary, type TuneResult } from '../tune/tune.js'
import type { ReportOptions } from './report.js'
import type { Proposal } from './tune.js'

const ratioDocument = ({ estimate, low, high }: Ratio) => ({
  estimate: round(estimate),
  low: round(low),
  high: round(high),
})

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

/** What it takes: CPU time, and watts and degrees where the hardware tells; where it doesn't, the CPU time stands in. */
const costDocument = (pairs: readonly Pair[], judgement: Judgement | null) => {
  const both = (read: 'watts' | 'celsius') => {
    const [on, off] = (['on', 'off'] as const).map(side =>
      ofKnown(
        pairs.map(pair => pair[side]),
        slice => slice[read],
      ),
    )
    return on == null || off == null ? null : { on: round(on), off: round(off) }
  }
  const watts = both('watts')
  return {
    cpu: judgement && ratioDocument(judgement.guards.cpu),
    watts,
    celsius: both('celsius'),
    stand_in: watts === null ? 'cpu' : null,
  }
}

/** What `taut tune --json` prints. A ratio is of with to without: 0.8 is a fifth less. */
export const tuneDocument = (
  goal: Goal,
  { target, total }: MeasureDocument,
  { trials, kept, whole, before, after }: TuneResult<Proposal>,
  entries: readonly Entry[],
) => ({
  schema: 1,
  goal,
  target,
  before: summaryDocument(before) ?? { p50_us: total.p50_us, p99_us: total.p99_us, mean_us: total.mean_us },
  trials: trials.flatMap(({ candidate, pairs, decision, reason, judgement, needed }) =>
    candidate.plans.flatMap(({ wish, changes }) =>
      changes.map(({ place, from, to }) => ({
        rule: candidate.advice.rule,
        knob: wish.knob.name,
        where: describePlace(place),
        from,
        to,
        why: wish.why,
        pairs: pairs.length,
        goal: judgement && ratioDocument(judgement.goal),
        guards:
          judgement &&
          Object.fromEntries(
            Object.entries(judgement.guards).map(([name, ratio]) => [name, ratioDocument(ratio)]),
          ),
        cost: costDocument(pairs, judgement),
        decision,
        reason,
        pairs_needed: needed,
      })),
    ),
  ),
  kept: kept.flatMap(({ plans }) =>
    plans.flatMap(({ wish, changes }) =>
      changes.map(({ place, to }) => ({ knob: wish.knob.name, where: describePlace(place), to })),
    ),
  ),
  whole: whole && ratioDocument(whole.goal),
  after: summaryDocument(after),
  undo: entries[0] === undefined ? null : `taut revert ${entries[0].id}`,
})

/** What would be tried, for people. */
export const formatPlan = (
  proposals: readonly Proposal[],
  advice: readonly Advice[],
  { columns }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const lines = [
    ...hopeless(advice).flatMap(text => wrap(text, width)),
    ...(proposals.length === 0
      ? wrap('There is nothing to try.', width)
      : ['Would be tried, in this order:']),
    ...proposals.flatMap(({ advice: each }, index) => [
      ...wrap(`${index + 1}. ${printable(each.finding)}`, width),
      ...commandsOf(each).map(line => `   ${line}`),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

const hopeless = (advice: readonly Advice[]): string[] =>
  advice
    .filter(({ settings }) => settings.length === 0)
    .map(({ finding }) => `${printable(finding.charAt(0).toUpperCase() + finding.slice(1))}.`)

/** What tuning did and how to go back, for people, ending in a line break. */
export const formatTune = (
  goal: Goal,
  advice: readonly Advice[],
  { trials, kept, whole, before, after }: TuneResult<Proposal>,
  entries: readonly Entry[],
  { columns, color }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const style = createStyle(color)
  const indent = (text: string): string[] => wrap(text, width - 3).map(line => `   ${line}`)
  const sections = trials.map(({ candidate, pairs, decision, reason, judgement, needed }) => {
    const title = `${decision.toUpperCase()}: ${printable(candidate.advice.finding)}`
    const paint = decision === 'kept' ? style.green : style.dim
    return [
      ...wrap(title, width).map(line => paint(line)),
      ...commandsOf(candidate.advice).map(line => `   ${line}`),
      ...(judgement === null
        ? []
        : indent(`${goal} ${describeRatio(judgement.goal)}, ${pairs.length} pairs of slices`)),
      ...indent(reason),
      ...(needed === null
        ? []
        : indent(`what was seen would take about ${needed} pairs to prove (try: --for longer)`)),
    ]
  })
  const end = [
    ...(kept.length === 0
      ? wrap(
          trials.length === 0
            ? 'There was nothing to try; nothing was changed.'
            : 'Nothing was proven to help; everything is as it was.',
          width,
        )
      : wrap(
          `${kept.length} of ${trials.length} kept${whole === null ? '' : `; together: ${goal} ${describeRatio(whole.goal)}`}.`,
          width,
        )),
    ...formatChange(before, after, width),
    ...(entries[0] === undefined ? [] : [`To go back: taut revert ${entries[0].id}`]),
  ]
  const first = hopeless(advice).flatMap(text => wrap(text, width))
  return `${[first, ...sections, end]
    .filter(section => section.length > 0)
    .map(section => section.join('\n'))
    .join('\n\n')}\n`
}

const formatChange = (before: Summary | null, after: Summary | null, width: number): string[] => {
  if (before === null || after === null) return []
  const line = (name: string, read: (summary: Summary) => number): string =>
    `${name} ${formatDuration(read(before) / 1000)} → ${formatDuration(read(after) / 1000)}`
  return wrap(
    [line('p50', ({ p50 }) => p50), line('p99', ({ p99 }) => p99), line('mean', ({ mean }) => mean)].join(
      ', ',
    ),
    width,
  )
}

/** A ratio as a change, with its interval. */
const describeRatio = ({ estimate, low, high }: Ratio): string => {
  const change = (ratio: number): string => {
    const percent = Math.round((ratio - 1) * 100)
    return `${percent > 0 ? '+' : ''}${percent}`
  }
  return `${change(estimate)} % (95 %: ${change(low)} to ${change(high)} %)`
}
