import { printable } from '../text/printable.js'
import type { Style } from '../text/style.js'
import { formatShort } from '../text/units.js'
import { alignLeft, alignRight } from '../text/width.js'
import { scrollTo } from './cursor.js'
import type { Area, LiveService } from './model.js'

const MARKS = 3
const RATE = 11
const PORT = 10
const PID = 9

/**
 * The list of services in at most as many rows, its heading included where there are three or more. The cursor's
 * line begins with `>`, the line of the service being traced has a `*`.
 */
export const composeServices = (
  services: LiveService[],
  cursor: number,
  area: Area,
  style: Style,
): string[] => {
  if (services.length === 0) {
    return ['   no service listens'].slice(0, area.rows)
  }

  const hasPid = area.columns >= 60
  const nameWidth = Math.min(24, area.columns - MARKS - PORT - RATE - (hasPid ? PID : 0))
  const hasHeading = area.rows >= 3
  const rows = area.rows - (hasHeading ? 1 : 0)
  const first = scrollTo(cursor, services.length, rows)
  const shown = services.slice(first, first + rows)
  const place =
    shown.length < services.length ? ` ${first + 1}-${first + shown.length} of ${services.length}` : ''
  const heading = [
    alignLeft('', MARKS),
    alignLeft(`service${place}`, nameWidth),
    alignRight('port', PORT),
    hasPid ? alignRight('pid', PID) : '',
    alignRight('reads/s', RATE),
  ].join('')

  const lines = shown.map((service, row) => {
    const mark = `${first + row === cursor ? '>' : ' '}${service.chosen ? '*' : ' '} `
    const line = [
      mark,
      alignLeft(nameOf(service), nameWidth),
      alignRight(`${service.port}/${service.protocol}`, PORT),
      hasPid ? alignRight(service.pid === null ? '-' : `${service.pid}`, PID) : '',
      alignRight(formatShort(service.readsPerSecond), RATE),
    ].join('')
    return service.chosen ? style.bold(line) : line
  })
  return hasHeading ? [style.cyan(heading), ...lines] : lines
}

/** The name of a service's process, without anything a terminal would obey. */
export const nameOf = ({ comm }: { comm: string | null }): string => (comm === null ? '?' : printable(comm))
