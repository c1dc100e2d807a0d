import { createStyle, type Style } from '../text/style.js'
import { alignRight, cut, displayWidth } from '../text/width.js'
import { composeFooter } from './footer.js'
import { composeHelp } from './help.js'
import type { Area, LiveView } from './model.js'
import { composeServices } from './services.js'
import { composeStages } from './stage-bars.js'
import { composeSummary } from './summary.js'

const MOST_SERVICES = 9

/** The lines of the whole screen, exactly as many as it has rows, none longer than its columns. */
export const composeScreen = (view: LiveView, area: Area, color: boolean): string[] => {
  const style = createStyle(color)
  const title = composeTitle(view, area.columns, style)
  const footer = composeFooter(view.model, view.message, area.columns, style)
  const rows = Math.max(0, area.rows - 1 - footer.length)
  const body =
    view.helpFrom === null
      ? composeBody(view, { columns: area.columns, rows }, style)
      : composeHelp(area.columns).slice(view.helpFrom)
  const filler = Array.from({ length: Math.max(0, rows - body.length) }, () => '')
  return [title, ...body.slice(0, rows), ...filler, ...footer].slice(0, area.rows)
}

const composeTitle = ({ model, isPaused }: LiveView, columns: number, style: Style): string => {
  const left = ` taut  ${model?.status ?? 'starting'}`
  const right = `${isPaused ? 'PAUSED  ' : ''}${model === null ? '' : `${Math.floor(model.seconds)} s`} `
  const room = columns - displayWidth(left)
  return style.bold(cut(left, columns) + alignRight(right, Math.max(0, room)))
}

const composeBody = ({ model, cursor }: LiveView, { columns, rows }: Area, style: Style): string[] => {
  if (model === null) {
    return []
  }

  const { services, target, document } = model
  const summary = composeSummary(target, document, columns, style)
  const hasStages = document !== null && document.requests > 0
  const stageRows = hasStages ? document.stages.length + 2 : 0

  // Stages come first, then a few services, then air between the sections, then more services.
  const spare = rows - summary.length - stageRows
  const gaps = Math.max(0, Math.min(3, spare - Math.min(services.length, 4) - 1))
  const serviceRows = Math.max(2, Math.min(services.length + 1, MOST_SERVICES, spare - gaps))
  const list = composeServices(services, cursor, { columns, rows: serviceRows }, style)
  const sections = [
    ...(gaps === 3 ? [['']] : []),
    list,
    ...(gaps >= 1 ? [['']] : []),
    summary,
    ...(gaps >= 2 ? [['']] : []),
    hasStages
      ? composeStages(document, { columns, rows: rows - gaps - list.length - summary.length }, style)
      : [],
  ]
  return sections.flat()
}
