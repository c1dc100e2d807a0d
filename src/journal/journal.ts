import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import * as v from 'valibot'
import { type Entry, entrySchema } from './entry.js'
import type { StateFolder } from './state-folder.js'

const FILE = 'journal.json'
const DRAFT = 'journal.json.new'
const MAX_BYTES = 4 << 20

const MAX_ENTRIES = 10_000

const entriesSchema = v.pipe(v.array(entrySchema), v.maxLength(MAX_ENTRIES))

const documentSchema = v.strictObject({
  schema: v.literal(1),
  /** Of the entries' JSON text: a changed bit is found wherever it is. */
  sha256: v.pipe(v.string(), v.hexadecimal(), v.length(64)),
  entries: entriesSchema,
})

/** The journal can't be believed, and nothing of it is obeyed; or it can hold no more. */
export class JournalError extends Error {
  override name = 'JournalError'
}

/**
 * Gives the changes that taut made and has not taken back, the oldest first; none where there is no journal. Throws a
 * JournalError when it is damaged or forged.
 */
export const readJournal = (folder: StateFolder): Entry[] => {
  const text = readWhole(folder)
  if (text === null) return []
  const refuse = (reason: string): never => {
    throw new JournalError(
      `${folder.name}/${FILE} is damaged (${reason}): nothing is undone by it (try: look into it, set back what it names by hand, remove it)`,
    )
  }
  const parsed = parseJson(text)
  if (parsed === undefined) return refuse('no JSON')
  const result = v.safeParse(documentSchema, parsed)
  if (!result.success) {
    const [issue] = result.issues
    return refuse(`${v.getDotPath(issue) ?? 'document'}: ${issue.message}`)
  }
  const { entries, sha256 } = result.output
  if (sha256 !== hash(JSON.stringify(entries))) return refuse('its checksum is wrong')
  return entries
}

/**
 * Puts the changes on disk in place of what was there, whole or not at all, and there to stay when it returns: file and
 * folder are written through (rename(2), fsync(2)). Throws as the file system does, and when they are more than could be
 * read again; then the old ones are there still.
 */
export const writeJournal = (folder: StateFolder, entries: readonly Entry[]): void => {
  // As the schema orders the fields, and as it would read them: what could not be read again is not written.
  if (entries.length > MAX_ENTRIES) throw new JournalError(explainFull(folder))
  const checked = v.parse(entriesSchema, entries)
  const text = JSON.stringify({ schema: 1, sha256: hash(JSON.stringify(checked)), entries: checked })
  const bytes = Buffer.from(`${text}\n`)
  if (bytes.length > MAX_BYTES) throw new JournalError(explainFull(folder))
  const draft = `${folder.path}/${DRAFT}`
  // What a taut that was killed has left.
  rmSync(draft, { force: true })
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    const fd = openSync(draft, flags, 0o600)
    try {
      writeWhole(fd, bytes)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(draft, `${folder.path}/${FILE}`)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
  fsyncSync(folder.fd)
}

const explainFull = ({ name }: StateFolder): string =>
  `${name}/${FILE} has no room for more changes (try: taut revert --all)`

const writeWhole = (fd: number, bytes: Buffer): void => {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done)
}

const readWhole = (folder: StateFolder): string | null => {
  const path = `${folder.path}/${FILE}`
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT') return null
    if (code === 'ELOOP')
      throw new JournalError(`${folder.name}/${FILE} is a link, which taut does not follow`)
    throw error
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile() || stat.uid !== process.geteuid?.() || (stat.mode & 0o022) !== 0)
      throw new JournalError(`${folder.name}/${FILE} is not a file that only its owner may write`)
    if (stat.size > MAX_BYTES) throw new JournalError(`${folder.name}/${FILE} is too large to be taut's`)
    const bytes = Buffer.alloc(stat.size)
    let length = 0
    while (length < bytes.length) {
      const read = readSync(fd, bytes, length, bytes.length - length, length)
      if (read === 0) break
      length += read
    }
    return bytes.toString('utf8', 0, length)
  } finally {
    closeSync(fd)
  }
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
