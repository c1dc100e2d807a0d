import type { MeasureDocument, NamedService } from '../latency/document.js'
import type { Style } from '../text/style.js'
import { formatBytes, formatCount, formatDuration, formatShort } from '../text/units.js'
import { alignLeft, cut } from '../text/width.js'
import { nameOf } from './services.js'

/** The service being traced, its rate, and its percentiles: two lines, or three where there are few columns. */
export const composeSummary = (
  target: NamedService | null,
  document: MeasureDocument | null,
  columns: number,
  style: Style,
): string[] => {
  if (target === null) {
    return [cut(' No service is traced: choose one with Enter.', columns)]
  }

  const title = `${nameOf(target)} ${target.protocol} ${target.port}`
  if (document === null) {
    return [style.bold(cut(` ${title}`, columns)), cut(' waiting for the first interval', columns)]
  }

  const rate = document.seconds > 0 ? document.requests / document.seconds : null
  const { cpu_percent, rss_bytes } = document.service
  const facts = [
    `${formatShort(rate)} requests/s`,
    `${formatCount(document.in_flight)} in flight`,
    ...(cpu_percent === null ? [] : [`CPU ${cpu_percent.toFixed(0)} %`]),
    ...(rss_bytes === null ? [] : [formatBytes(rss_bytes)]),
  ]
  return [
    style.bold(cut(` ${[title, ...facts].join('  ')}`, columns)),
    ...composePercentiles(document, columns),
  ]
}

const composePercentiles = ({ requests, total }: MeasureDocument, columns: number): string[] => {
  if (requests === 0) {
    return [cut(' no requests in this interval', columns)]
  }

  const cells = [
    `p50 ${formatDuration(total.p50_us)}`,
    `p90 ${formatDuration(total.p90_us)}`,
    `p99 ${formatDuration(total.p99_us)}`,
    `p99.9 ${formatDuration(total.p999_us)}`,
    `max ${formatDuration(total.max_us)}`,
  ]
  const line = ` ${cells.join('   ')}`
  return line.length <= columns
    ? [line]
    : [cells.slice(0, 3), cells.slice(3)].map(row =>
        cut(
          ` ${row
            .map(cell => alignLeft(cell, 14))
            .join('')
            .trimEnd()}`,
          columns,
        ),
      )
}
