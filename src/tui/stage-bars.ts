import type { MeasureDocument } from '../latency/document.js'
import { formatBar } from '../text/bar.js'
import type { Style } from '../text/style.js'
import { formatDuration } from '../text/units.js'
import { alignLeft, alignRight } from '../text/width.js'
import type { Area } from './model.js'

const NAME = 10
const TIME = 8
const PERCENTILES = [50, 99, 99.9]
const ORDER_BY = 99
const NARROWEST_BAR = 4
const DOMINANT_SHARE = 0.25

type Column = { percentile: number; mean: number; hasBar: boolean }

type Row = { name: string; times: number[] }

/**
 * The stages side by side for the requests above p50, p99 and p99.9: mean times, with bars for the share of the mean.
 *
 * Where columns are few only p99 has a bar. Where rows are few the stages that matter least above p99 share one line.
 */
export const composeStages = (document: MeasureDocument, area: Area, style: Style): string[] => {
  const columns = listColumns(document, area.columns)
  const heading = 2
  const rows = mergeRows(listRows(document, columns), columns, area.rows - heading)
  const barWidth = widthOfBar(area.columns, columns)
  const largest = Math.max(
    ...rows.flatMap(row => columns.map((column, index) => shareOf(row, column, index))),
  )
  const lines = rows.map(row =>
    [
      ` ${alignLeft(row.name, NAME - 1)}`,
      ...columns.map((column, index) => {
        const share = shareOf(row, column, index)
        const bar = column.hasBar
          ? ` ${alignLeft(formatBar(largest === 0 ? 0 : share / largest, barWidth), barWidth)}`
          : ''
        const cell = `${alignRight(formatDuration(row.times[index] ?? 0), TIME)}${bar}`
        return share >= DOMINANT_SHARE ? style.yellow(cell) : cell
      }),
    ].join(''),
  )
  return [composeHeading(columns, barWidth, style), ...lines, composeTotal(columns, barWidth, style)]
}

const listColumns = (document: MeasureDocument, width: number): Column[] => {
  const isWide = width >= NAME + PERCENTILES.length * (TIME + 1 + NARROWEST_BAR)
  return PERCENTILES.map(percentile => ({
    percentile,
    mean: document.tail.find(row => row.from_percentile === percentile)?.mean_us ?? 0,
    hasBar: isWide || percentile === ORDER_BY,
  }))
}

const listRows = (document: MeasureDocument, columns: Column[]): Row[] => {
  const tails = columns.map(
    column => document.tail.find(row => row.from_percentile === column.percentile)?.stages,
  )
  return document.stages
    .filter(stage => tails.some(stages => stages?.[stage.name] !== undefined))
    .map(({ name }) => ({ name, times: tails.map(stages => stages?.[name] ?? 0) }))
}

const mergeRows = (rows: Row[], columns: Column[], limit: number): Row[] => {
  if (rows.length <= limit) {
    return rows
  }

  const by = columns.findIndex(column => column.percentile === ORDER_BY)
  const largestFirst = rows.toSorted((a, b) => (b.times[by] ?? 0) - (a.times[by] ?? 0))
  const kept = new Set(largestFirst.slice(0, Math.max(0, limit - 1)))
  const others = rows.filter(row => !kept.has(row))
  const times = columns.map((_, index) => others.reduce((sum, row) => sum + (row.times[index] ?? 0), 0))
  return [...rows.filter(row => kept.has(row)), { name: `${others.length} others`, times }]
}

const shareOf = (row: Row, { mean }: Column, index: number): number =>
  mean === 0 ? 0 : (row.times[index] ?? 0) / mean

const widthOfBar = (width: number, columns: Column[]): number => {
  const bars = columns.filter(column => column.hasBar).length
  return Math.floor((width - NAME - columns.length * TIME) / bars) - 1
}

const composeHeading = (columns: Column[], barWidth: number, style: Style): string => {
  const cells = columns.map(({ percentile, hasBar }) => {
    const title = alignRight(`p${percentile}+`, TIME)
    return hasBar ? alignLeft(barWidth < 5 ? title : `${title} share`, TIME + 1 + barWidth) : title
  })
  return style.cyan([alignLeft(' stage', NAME), ...cells].join(''))
}

const composeTotal = (columns: Column[], barWidth: number, style: Style): string => {
  const cells = columns.map(({ mean, hasBar }) => {
    const time = alignRight(formatDuration(mean), TIME)
    return hasBar ? alignLeft(time, TIME + 1 + barWidth) : time
  })
  return style.bold([alignLeft(' mean', NAME), ...cells].join(''))
}
