import type { MeasureDocument, StageDocument } from '../latency/document.js'
import { describeStage, isInTotal } from '../latency/stages.js'
import { formatBar } from '../text/bar.js'
import { printable } from '../text/printable.js'
import { createStyle, type Style } from '../text/style.js'
import { formatBytes, formatCount, formatDuration, formatShare } from '../text/units.js'
import { alignLeft, alignRight, reportWidth, wrap } from '../text/width.js'
import { formatCpus, type IdleNames } from './cpus-report.js'
import { formatOverheads } from './overheads-report.js'

const TAIL_PERCENTILE = 99
const DOMINANT_SHARE = 0.25

/**
 * What a report is formatted for: the terminal's width, and whether terminal codes may be in it; and what idle states are called on
 * the machine that was measured, where that is known.
 */
export type ReportOptions = { columns: number; color: boolean; idleNames?: IdleNames }

/**
 * The report of one measurement for people, ending in a line break: the service, its percentiles, its stages, what
 * dominates the tail, the socket API's overheads, the CPUs, what was lost, and what measuring took. Fits the columns down to 40.
 */
export const formatReport = (
  document: MeasureDocument,
  { columns, color, idleNames = new Map() }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const style = createStyle(color)
  const sections =
    document.requests === 0
      ? [[...formatHeadline(document, width, style), ...wrap('No request was answered in this time.', width)]]
      : [
          formatHeadline(document, width, style),
          formatPercentiles(document, width),
          formatStages(document, width, style),
          formatDominant(document, width, style),
          document.target.role === 'client' ? [] : formatOverheads(document.overheads, width),
          formatCpus(document, idleNames, width),
        ]
  const lines = [
    ...sections.filter(section => section.length > 0),
    [
      ...formatLosses(document, width, style),
      ...formatService(document, width),
      ...formatCost(document, width),
      ...formatDepth(document, width, style),
    ],
  ]
  return `${lines.map(section => section.join('\n')).join('\n\n')}\n`
}

const formatHeadline = (
  { target, requests, seconds }: MeasureDocument,
  width: number,
  style: Style,
): string[] => {
  const rate = seconds > 0 ? ` (${formatCount(requests / seconds)}/s)` : ''
  const text = `${nameTarget(target)}: ${formatCount(requests)} requests in ${formatDuration(seconds * 1e6)}${rate}`
  return wrap(text, width).map(line => style.bold(line))
}

const nameTarget = ({ role, comm, pid, protocol, port, host }: MeasureDocument['target']): string => {
  if (role === 'client') {
    const by = comm === null ? '' : ` of ${printable(comm)}${pid === null ? '' : `, pid ${pid},`}`
    return `requests${by} sent to ${protocol} port ${port}${host === undefined ? '' : ` of ${host}`}`
  }
  const name = comm === null ? 'unknown service' : printable(comm)
  return `${name}${pid === null ? '' : `, pid ${pid}`}, ${protocol} port ${port}`
}

const formatPercentiles = ({ total }: MeasureDocument, width: number): string[] => {
  const entries = [
    ['mean', total.mean_us],
    ['p50', total.p50_us],
    ['p90', total.p90_us],
    ['p99', total.p99_us],
    ['p99.9', total.p999_us],
    ['max', total.max_us],
  ] as const
  const cells = entries.map(([name, us]) => `${name} ${formatDuration(us)}`)
  const line = cells.join('  ')
  return line.length <= width
    ? [line]
    : [cells.slice(0, 3), cells.slice(3)].map(row =>
        row
          .map(cell => alignLeft(cell, 14))
          .join('')
          .trimEnd(),
      )
}

type StageRow = StageDocument & { ofMean: number | null; ofTail: number | null }

const listStages = (document: MeasureDocument): StageRow[] => {
  const tail = document.tail.find(row => row.from_percentile === TAIL_PERCENTILE)
  // Of the time that was told apart, which is all of it unless some requests were not followed in depth.
  const timeOf = (stage: StageDocument): number =>
    isInTotal(stage.name) ? stage.mean_us * stage.requests : 0
  const allTime = document.stages.reduce((sum, stage) => sum + timeOf(stage), 0)
  const tailTime = Object.values(tail?.stages ?? {}).reduce((sum, us) => sum + us, 0)
  return document.stages.map(stage => ({
    ...stage,
    ofMean: isInTotal(stage.name) ? shareOf(timeOf(stage), allTime) : null,
    ofTail: isInTotal(stage.name) ? shareOf(tail?.stages[stage.name] ?? 0, tailTime) : null,
  }))
}

const shareOf = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

const formatStages = (document: MeasureDocument, width: number, style: Style): string[] => {
  if (document.stages.length === 0) return []
  const isWide = width >= 70
  const barWidth = isWide ? Math.min(30, Math.floor((width - 50) / 2)) : 0
  const rows = listStages(document)
  const largest = Math.max(...rows.flatMap(row => [row.ofMean ?? 0, row.ofTail ?? 0]))
  const share = (value: number | null, columns: number): string => {
    const bar = isWide ? ` ${alignLeft(formatBar(shareOf(value ?? 0, largest), barWidth), barWidth)}` : ''
    return `${alignRight(value === null ? '-' : formatShare(value), isWide ? 6 : columns)}${bar}`
  }

  const heading = isWide
    ? `${alignLeft('stage', 9)}${['mean', 'p50', 'p99'].map(name => alignRight(name, 9)).join('')}  ${alignLeft('of all time', barWidth + 7)}of slowest 1 %`
    : `${alignLeft('stage', 9)}${['mean', 'p99'].map(name => alignRight(name, 8)).join('')}${alignRight('of all', 7)}${alignRight('slow 1%', 8)}`
  const lines = rows.map(row => {
    const times = (isWide ? [row.mean_us, row.p50_us, row.p99_us] : [row.mean_us, row.p99_us])
      .map(us => alignRight(formatDuration(us), isWide ? 9 : 8))
      .join('')
    const line = `${alignLeft(row.name, 9)}${times}${share(row.ofMean, 7)}${share(row.ofTail, 8)}`.trimEnd()
    return (row.ofTail ?? 0) >= DOMINANT_SHARE ? style.yellow(line) : line
  })
  return [style.dim(heading), ...lines]
}

const formatDominant = (document: MeasureDocument, width: number, style: Style): string[] => {
  const tail = document.tail.find(row => row.from_percentile === TAIL_PERCENTILE)
  const bySlowest = listStages(document).toSorted((a, b) => (b.ofTail ?? 0) - (a.ofTail ?? 0))
  const dominant = bySlowest.filter((row, rank) => rank === 0 || (row.ofTail ?? 0) >= DOMINANT_SHARE)
  const requests = formatCount(tail?.requests ?? 0)
  return dominant.flatMap((row, rank) => {
    const of =
      rank === 0
        ? `the slowest 1 % (${requests} requests, mean ${formatDuration(tail?.mean_us ?? null)})`
        : 'it'
    const text = `${formatShare(row.ofTail ?? 0)} of ${of} is ${row.name}: ${describeStage(row.name, document.target.role)}.`
    return wrap(text, width).map(line => style.yellow(line))
  })
}

/** What each loss means for the numbers. */
const explainLost = ({
  ringbuf_full,
  map_full,
  unmatched,
  clock,
  recursion,
}: MeasureDocument['lost']): string =>
  [
    ringbuf_full > 0 && 'What found the ring buffer full is counted, and could not be kept as an example.',
    map_full > 0 && 'Requests that a map had no room for are not in the numbers above.',
    unmatched > 0 && 'Unmatched datagrams are not in the numbers above.',
    clock > 0 && 'Times that would have been negative are not in the numbers above.',
    recursion > 0 &&
      'Where the kernel left out the run of a probe the request is counted, and may lack a stage.',
  ]
    .filter(text => text !== false)
    .join(' ')

/** What was lost, by reason. */
export const formatLost = (lost: MeasureDocument['lost'], width: number, style: Style): string[] => {
  const reasons = `ring buffer full ${formatCount(lost.ringbuf_full)}, map full ${formatCount(lost.map_full)}, unmatched ${formatCount(lost.unmatched)}, clock ${formatCount(lost.clock)}, recursion ${formatCount(lost.recursion)}`
  const isLossless = Object.values(lost).every(count => count === 0)
  return isLossless
    ? wrap(`Lost: nothing (${reasons}).`, width)
    : wrap(`LOST: ${reasons}. ${explainLost(lost)}`, width).map(line => style.red(line))
}

const formatLosses = (document: MeasureDocument, width: number, style: Style): string[] => {
  const open = `In flight ${formatCount(document.in_flight)}, unanswered ${formatCount(document.unanswered)}, pipelined ${formatCount(document.pipelined)}.`
  const unsplit = `For ${formatCount(document.unsplit)} of the requests app_cpu reaches to the departure of the reply: their send call was not seen.`
  const undivided = `For ${formatCount(document.undivided)} of the requests app_cpu is the whole time from recv to send, asleep or not: another thread sent the reply, whose wake-up was not seen, or io_uring's threads in the kernel made both calls.`
  const late = `${formatCount(document.begun_late)} of the requests waited until the service let go of their socket, which is not in their times: it was not known yet that there are such.`
  const unplaced = `For ${formatCount(document.unplaced)} of the requests it is not known on which CPU their softirq ran, or that or the service's was above 63: they are in no cell of the locality.`
  return [
    ...formatLost(document.lost, width, style),
    ...wrap(open, width),
    ...(document.unsplit === 0 ? [] : wrap(unsplit, width)),
    ...(document.undivided === 0 ? [] : wrap(undivided, width)),
    ...(document.begun_late === 0 ? [] : wrap(late, width)),
    ...(document.unplaced === 0 ? [] : wrap(unplaced, width)),
  ]
}

/** No line where none of the service's processes is known. */
const formatService = ({ service }: MeasureDocument, width: number): string[] => {
  if (service.rss_bytes === null) return []
  const memory = `${formatBytes(service.rss_bytes)} of memory`
  return wrap(
    service.cpu_percent === null
      ? `The service took ${memory}; how much of a core is not known: its processes changed meanwhile.`
      : `The service took ${service.cpu_percent.toFixed(1)} % of a core and ${memory}.`,
    width,
  )
}

const formatCost = ({ cost }: MeasureDocument, width: number): string[] => {
  const kernel = cost.bpf_ns_per_request
  const parts = [
    kernel === null ? 'kernel time not measured' : `${formatDuration(kernel / 1000)} a request in the kernel`,
    cost.agent_cpu_percent === null ? null : `${cost.agent_cpu_percent.toFixed(1)} % of a core`,
    cost.agent_rss_bytes === null ? null : `${formatBytes(cost.agent_rss_bytes)} of memory`,
  ]
  return wrap(`taut itself: ${parts.filter(part => part !== null).join(', ')}.`, width)
}

/** What a budget has led to; or why not all requests were followed without one. */
const formatDepth = (
  { target, requests, depth, cost }: MeasureDocument,
  width: number,
  style: Style,
): string[] => {
  if (cost.budget_percent === null) {
    const unread = target.protocol === 'udp' ? ', or it was not seen when they were read' : ''
    const partial = `Of ${formatCount(requests - depth.requests)} of the requests only the total is known: they were in progress when measuring began or ended${unread}.`
    return depth.requests === requests ? [] : wrap(partial, width)
  }
  const budget = `${formatPercent(cost.budget_percent)} of the CPUs`
  const taken =
    cost.machine_percent === null ? '' : `, of which taut took ${formatPercent(cost.machine_percent)}`
  const followed =
    depth.requests === requests
      ? 'all requests were followed in depth'
      : `${formatShare(depth.share ?? 0)} of the requests were followed in depth, by connection: the stages are theirs, counts and totals are of all`
  const isOver = cost.machine_percent !== null && cost.machine_percent > cost.budget_percent
  const over = !isOver
    ? ''
    : depth.requests > 0
      ? ' Over the budget.'
      : ' Over the budget: what taut itself, counts and totals take is not in its power.'
  const lines = wrap(`Budget ${budget}${taken}: ${followed}.${over}`, width)
  return isOver ? lines.map(line => style.yellow(line)) : lines
}

const formatPercent = (percent: number): string => `${Number(percent.toPrecision(2))} %`
