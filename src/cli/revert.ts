import { type Command, InvalidArgumentError } from 'commander'
import type { Entry } from '../journal/entry.js'
import { readJournal } from '../journal/journal.js'
import { type Undone, undo } from '../knobs/undo.js'
import { type ChangeDocument, changeDocument, printChanges } from './change-report.js'
import { EXIT, Failure } from './failure.js'
import { openStateToUndo, requireRoot } from './state.js'
import { describeOther } from './status.js'

type RevertOptions = { all?: boolean; force?: boolean; json?: boolean }

/** Adds `taut revert`: puts settings back as they were before taut changed them. */
export const addRevert = (program: Command): void => {
  program
    .command('revert')
    .description('put settings back as they were before taut changed them')
    .argument('[id]', 'the change to take back, as taut status shows it; the last one by default', parseId)
    .option('--all', 'take everything back')
    .option('--force', 'also what someone else has changed since')
    .option('--json', 'print one JSON document')
    .action(revert)
}

const parseId = (text: string): number => {
  const id = Number(text)
  if (!/^\d{1,9}$/.test(text) || id < 1) throw new InvalidArgumentError('It takes the number of a change.')
  return id
}

const revert = async (id: number | undefined, { all, force = false, json }: RevertOptions): Promise<void> => {
  requireRoot('put settings back')
  if (id !== undefined && all)
    throw new Failure('--all and the number of a change exclude each other', EXIT.usage)
  using state = openStateToUndo()
  const isChosen = chooseEntries(state === null ? [] : readJournal(state.folder), id, all === true)
  const { undone, unwritten } =
    state === null ? { undone: [], unwritten: null } : await undo(state.folder, isChosen, { force })
  const changes = undone.map(describe)
  printChanges(changes, json === true, 'There is nothing to put back: taut has set nothing.')
  const left = undone.filter(({ left }) => left !== null)
  if (unwritten !== null) {
    const reason = unwritten instanceof Error ? unwritten.message : String(unwritten)
    throw new Failure(
      `what could be put back is back, but the journal can't be written: ${reason} (try again when it can)`,
    )
  }
  if (left.length > 0)
    throw new Failure(`${left.length} of ${undone.length} are not put back, for the reasons above`)
}

/** By default the last run's that set something; what a killed run left behind goes with it in any case. */
const chooseEntries = (
  entries: readonly Entry[],
  id: number | undefined,
  all: boolean,
): ((entry: Entry) => boolean) => {
  if (all) return () => true
  if (id !== undefined && !entries.some(entry => entry.id === id)) {
    const ids = [...new Set(entries.map(entry => entry.id))]
    throw new Failure(
      `there is no change ${id} (${ids.length === 0 ? 'taut has set nothing' : `try ${ids.join(', ')}`})`,
    )
  }
  const chosen = id ?? entries.at(-1)?.id
  return entry => entry.id === chosen || !entry.kept
}

const describe = ({ entry, now, left, over, isForeign }: Undone): ChangeDocument => {
  if (left === null) return changeDocument(entry, { now, note: over, state: 'undone' })
  if (!isForeign) return changeDocument(entry, { now, note: left })
  return changeDocument(entry, {
    now,
    note: `${describeOther(entry, now ?? '')}; ${left}`,
    state: 'changed-by-other',
  })
}
