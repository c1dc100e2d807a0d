import type { Entry } from '../journal/entry.js'
import { findChanges, type Plan } from '../knobs/apply.js'
import { describePlace } from '../knobs/places/place.js'
import { createStyle } from '../text/style.js'
import { reportWidth, wrap } from '../text/width.js'
import type { ReportOptions } from './report.js'
import { describeCommand } from './shell-commands.js'
import { describeTerminal } from './terminal.js'

/** A change of one place, as all commands that change settings give it. */
export type ChangeDocument = {
  knob: string
  where: string
  from: string
  to: string
  now: string | null
  why: string
  state: 'planned' | 'written' | 'verified' | 'no-effect' | 'undone' | 'changed-by-other'
  id: number | null
  at: string | null
  /** The profile that it belongs to; null of one that was set alone. */
  profile: string | null
  /** What was seen of it, or why it is as it is. */
  note: string | null
  /** Of what is planned, the command by which a person would do the same in a shell. */
  command: string | null
}

/** Gives a change of the journal as a document, with what was found of it now. */
export const changeDocument = (
  entry: Entry,
  found: Pick<ChangeDocument, 'now' | 'note'> & { state?: ChangeDocument['state'] },
): ChangeDocument => {
  const { knob, place, from, to, why, id, at, profile } = entry
  const { now, note, state = entry.state } = found
  return {
    knob,
    where: describePlace(place),
    from,
    to,
    now,
    why,
    state,
    id,
    at,
    profile,
    note,
    command: null,
  }
}

/** Gives what a plan would change, and what would follow from it, as documents. */
export const planDocuments = async (plan: Plan, profile: string | null): Promise<ChangeDocument[]> => {
  const { knob, why, value, selection } = plan.wish
  const following = await findChanges((await knob.follow?.(value, selection)) ?? [])
  const foreseen = plan.changes.length === 0 ? [] : ((await knob.foresee?.(value, selection)) ?? [])
  const changes = [...plan.changes, ...following].map(({ place, from, to }) => ({
    where: describePlace(place),
    from,
    to,
    command: describeCommand(place, to),
  }))
  return [...changes, ...foreseen].map(({ where, from, to, command }) => ({
    knob: knob.name,
    where,
    from,
    to,
    now: from,
    why,
    state: 'planned',
    id: null,
    at: null,
    profile,
    note: null,
    command,
  }))
}

/**
 * Changes for people, ending in a line break: for each where, old → new, how it stands, and why. Fits the columns down
 * to 40.
 */
export const formatChanges = (
  changes: readonly ChangeDocument[],
  { columns, color }: ReportOptions,
): string => {
  const width = reportWidth(columns)
  const style = createStyle(color)
  const paint = {
    verified: style.green,
    'no-effect': style.yellow,
    'changed-by-other': style.yellow,
  } as Record<string, ((text: string) => string) | undefined>
  const sections = changes.map(({ knob, where, from, to, state, why, note, id, at, profile, now }) => {
    const mark = paint[state] ?? (text => text)
    const by = [id === null ? null : `change ${id}`, profile, at].filter(part => part !== null)
    const [first, second] = state === 'undone' ? [to, now ?? from] : [from, to]
    return [
      ...wrap(`${knob}: ${first} → ${second}`, width).map(line => style.bold(line)),
      ...wrap(where, width - 2).map(line => `  ${line}`),
      ...wrap(note === null ? state : `${state}: ${note}`, width - 2).map(line => `  ${mark(line)}`),
      ...wrap(why, width - 2).map(line => `  ${line}`),
      ...(by.length === 0 ? [] : wrap(by.join(', '), width - 2).map(line => `  ${style.dim(line)}`)),
    ].join('\n')
  })
  return sections.length === 0 ? '' : `${sections.join('\n\n')}\n`
}

/** Prints changes to stdout: as JSON in one line, or for people, to whom `none` says that there are none. */
export const printChanges = (changes: readonly ChangeDocument[], json: boolean, none: string): void => {
  const text = changes.length === 0 ? `${none}\n` : formatChanges(changes, describeTerminal(process.stdout))
  process.stdout.write(json ? `${JSON.stringify(changes)}\n` : text)
}
