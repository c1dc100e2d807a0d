import type { Command } from 'commander'
import type { Entry } from '../journal/entry.js'
import { readJournal } from '../journal/journal.js'
import { openStateFolder } from '../journal/state-folder.js'
import { findStanding } from '../knobs/standing.js'
import { findCover } from '../knobs/undo.js'
import { listTuners, reaches } from '../system/tuners.js'
import { type ChangeDocument, changeDocument, printChanges } from './change-report.js'
import { requireRoot } from './state.js'

/** Adds `taut status`: what taut has set, when, why, and whether it is still in force. */
export const addStatus = (program: Command): void => {
  program
    .command('status')
    .description('what taut has set, when, why, and whether it is still in force')
    .option('--json', 'print one JSON document')
    .action(status)
}

const status = async ({ json }: { json?: boolean }): Promise<void> => {
  requireRoot('read what was set')
  const changes: ChangeDocument[] = []
  const entries = readEntries()
  for (const [index, entry] of entries.entries())
    changes.push(await describeStanding(entry, findCover(entry, entries.slice(index + 1))))
  printChanges(changes, json === true, 'taut has set nothing.')
}

const readEntries = (): Entry[] => {
  try {
    using folder = openStateFolder()
    return readJournal(folder)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

const describeStanding = async (entry: Entry, cover: Entry | null): Promise<ChangeDocument> => {
  const standing = await findStanding(entry)
  const { now } = standing
  if (cover !== null) return changeDocument(entry, { now, note: `change ${cover.id} set it again` })
  if (standing.is === 'in-force') {
    const note = entry.kept ? null : 'not kept yet: taut is at work, or was killed (try: taut revert)'
    return changeDocument(entry, { now, note })
  }
  if (standing.is === 'over') return changeDocument(entry, { now, note: standing.because, state: 'undone' })
  if (standing.is === 'out-of-reach') return changeDocument(entry, { now, note: standing.because })
  // Whatever was seen once, it has none any more.
  if (standing.is === 'lapsed')
    return changeDocument(entry, { now, note: standing.because, state: 'no-effect' })
  return changeDocument(entry, { now, note: describeOther(entry, standing.now), state: 'changed-by-other' })
}

/** Says who may have set a value that is neither the old one nor taut's. */
export const describeOther = ({ knob }: Entry, now: string): string => {
  const names = listTuners()
    .filter(tuner => reaches(tuner, knob))
    .map(({ name, pid }) => `${name} (${pid})`)
  return `it is ${now} now, set by ${names.length === 0 ? 'a person or a program that taut does not know' : `${names.join(' or ')}, or by a person`}`
}
