import type { MeasureDocument } from '../latency/document.js'
import { printable } from '../text/printable.js'
import type { Style } from '../text/style.js'
import { formatBytes, formatCount, formatDuration, formatShare } from '../text/units.js'
import { cut } from '../text/width.js'
import type { LiveModel, Losses } from './model.js'

/** The last lines of the screen: what was lost so far, what measuring takes, and the message or else the keys. */
export const composeFooter = (
  model: Pick<LiveModel, 'document' | 'losses'> | null,
  message: string,
  columns: number,
  style: Style,
): string[] => {
  const keys =
    columns >= 60
      ? ' ↑↓ choose   Enter trace   space pause   ? help   q quit'
      : ' ↑↓ Enter trace space pause ? q quit'
  const last =
    message === '' ? style.cyan(cut(keys, columns)) : style.yellow(cut(` ${printable(message)}`, columns))
  return [
    ...(model?.losses ? [composeLosses(model.losses, columns, style)] : []),
    ...(model?.document ? [composeCost(model.document, columns)] : []),
    last,
  ]
}

const composeLosses = ({ lost, unanswered }: Losses, columns: number, style: Style): string => {
  const isNarrow = columns < 60
  const reasons = [
    ['ringbuf', lost.ringbuf_full],
    ['map', lost.map_full],
    ['unmatched', lost.unmatched],
    ['clock', lost.clock],
    ['recursion', lost.recursion],
  ] as const
  const isLossless = reasons.every(([, count]) => count === 0)
  // There is no room for zeros on a narrow screen.
  const shown = reasons
    .filter(([, count]) => !isNarrow || count !== 0)
    .map(([name, count]) => `${name} ${formatCount(count)}`)
  const losses = `${isLossless ? 'lost' : 'LOST'}: ${shown.join(', ') || 'nothing'}`
  const line = cut(` ${losses}${isNarrow ? ', ' : '   '}unanswered ${formatCount(unanswered)}`, columns)
  return isLossless ? line : style.red(line)
}

const composeCost = ({ cost, depth }: MeasureDocument, columns: number): string => {
  const isWide = columns >= 60
  const kernel = cost.bpf_ns_per_request
  const parts = [
    kernel === null ? 'BPF -' : `BPF ${formatDuration(kernel / 1000)}/req${isWide ? 'uest' : ''}`,
    cost.agent_cpu_percent === null ? 'CPU -' : `CPU ${cost.agent_cpu_percent.toFixed(1)} %`,
    formatBytes(cost.agent_rss_bytes),
    ...(depth.share === null || depth.share === 1 ? [] : [`in depth ${formatShare(depth.share)}`]),
  ]
  return cut(isWide ? ` cost: ${parts.join(', ')}` : ` ${parts.join(', ')}`, columns)
}
