import { describePoint, findStandIn, type Probe, type Support } from '../probes/support.js'
import type { Host } from '../system/host.js'
import { displayWidth, reportWidth, wrap } from '../text/width.js'
import { VERSION } from '../version.js'

/** One thing that tracing needs of this machine. */
export type Check = { name: string; ok: boolean; detail: string; remedy: string | null }

/** What was found out; `support` is null where the probes could not be tried, and `overheads`, of those sampled, empty. */
export type Findings = {
  host: Host
  checks: readonly Check[]
  /** Of the probes themselves; empty where they could not be tried. */
  loads: readonly Check[]
  support: readonly Support[] | null
  overheads: readonly Support[]
}

const MARK_WIDTH = 5
const CHECK_WIDTH = 16
const POINT_WIDTH = 28
/** A text that is broken into shorter lines than this goes below its name. */
const SHORTEST_LINE = 30

/** The findings for people, ending in a line break. Fits the columns down to 40. */
export const formatDoctor = (
  { host, checks, loads, support, overheads }: Findings,
  columns: number,
): string => {
  const width = reportWidth(columns)
  const title = `taut ${VERSION} on Linux ${host.kernel} (${host.architecture}), ${host.cpus} CPUs`
  const lines = [
    ...wrap(title, width),
    '',
    ...[...checks, ...loads].flatMap(check => formatCheck(check, width)),
    '',
    ...(support === null
      ? ['The probes can not be tried before that.']
      : support.flatMap(item => formatSupport(item, findStandIn(item.probe, support), width))),
    ...(overheads.length === 0 ? [] : ['', ...wrap('For the overheads of the socket API, sampled:', width)]),
    ...overheads.flatMap(item => formatSupport(item, null, width)),
  ]
  return `${lines.join('\n')}\n`
}

/** What to do about a probe that this kernel does not take. */
export const remedyOf = ({ since, point }: Support['probe']): string => {
  if (since !== undefined) return `Linux ${since} or newer`
  return `a kernel with this ${point.startsWith('iter/') ? 'iterator' : 'tracepoint'}`
}

const formatCheck = ({ name, ok, detail, remedy }: Check, width: number): string[] => [
  ...formatRow(formatHead(ok, name, CHECK_WIDTH), detail, width),
  ...(remedy === null ? [] : formatRow(' '.repeat(MARK_WIDTH + CHECK_WIDTH), `→ ${remedy}`, width)),
]

const formatSupport = ({ probe, reason }: Support, standIn: Probe | null, width: number): string[] => {
  const first = formatRow(formatHead(reason === null, probe.point, POINT_WIDTH), probe.buys, width)
  if (reason === null) return first
  const cost = probe.required
    ? `taut can not measure ${probe.role === 'client' ? 'clients ' : probe.protocol === 'udp' ? 'UDP ' : ''}without it`
    : `without it: ${probe.stages.join(', ') || 'less is told apart'}`
  const indent = ' '.repeat(MARK_WIDTH)
  if (standIn !== null) {
    return [...first, ...formatRow(indent, `${reason}; ${standIn.point} stands in for it`, width)]
  }
  return [
    ...first,
    ...formatRow(indent, `${reason}; ${cost}`, width),
    ...formatRow(indent, `→ ${remedyOf(probe)} (${describePoint(probe)})`, width),
  ]
}

const formatHead = (ok: boolean, name: string, nameWidth: number): string =>
  `${(ok ? 'yes' : 'NO').padEnd(MARK_WIDTH)}${name.padEnd(nameWidth)}`

/** A text to the right of its head, or below it where there is too little room. */
const formatRow = (head: string, text: string, width: number): string[] => {
  const room = width - displayWidth(head)
  if (room >= SHORTEST_LINE) {
    return wrap(text, room).map((line, index) => (index === 0 ? head : ' '.repeat(head.length)) + line)
  }
  const below = wrap(text, width - MARK_WIDTH).map(line => ' '.repeat(MARK_WIDTH) + line)
  return head.trim() === '' ? below : [head.trimEnd(), ...below]
}
