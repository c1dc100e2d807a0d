import * as v from 'valibot'
import { isNode, LineCounter, parseDocument, visit } from 'yaml'
import { KNOB_NAMES } from '../knobs/names.js'
import { printable } from '../text/printable.js'
import { type Profile, profileSchema } from './profile.js'

const MAX_BYTES = 64 << 10

/** A profile can't be used: the message has a line for each thing that is wrong, with the file, its line and what to do. */
export class ProfileError extends Error {
  override name = 'ProfileError'

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'))
  }
}

/**
 * Gives the profile that a YAML text is. Throws a ProfileError. `file` is its name in messages, and `name` the one that it is to have.
 */
export const parseProfile = (text: string, file: string, name?: string): Profile => {
  const refuse = (line: number, problem: string): string => `${file}:${line}: ${printable(problem)}`
  if (text.length > MAX_BYTES)
    throw new ProfileError([refuse(1, `too large for a profile (try less than ${MAX_BYTES >> 10} KB)`)])
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
  })
  const faults = [...document.errors, ...document.warnings]
  if (faults.length > 0)
    throw new ProfileError(
      faults.map(({ message, pos }) =>
        refuse(lines.linePos(pos[0]).line, `${message} (see docs/profiles.md)`),
      ),
    )
  const alias = findAlias(document)
  if (alias !== null)
    throw new ProfileError([
      refuse(lines.linePos(alias).line, 'aliases are not taken (try the value itself in its place)'),
    ])
  const result = v.safeParse(profileSchema, document.toJS())
  if (result.success) {
    if (name === undefined || result.output.name === name) return result.output
    const problem = `its name is ${result.output.name}, and not that of the file (try name: ${name})`
    throw new ProfileError([refuse(findLine(document, ['name'], lines), problem)])
  }
  throw new ProfileError(
    result.issues.map(issue => {
      const path = issue.path?.map(({ key }) => key) ?? []
      return refuse(findLine(document, path, lines), describe(issue, path))
    }),
  )
}

/** Where the first alias is, of which a few lines can stand for gigabytes; null where there is none. */
const findAlias = (document: ReturnType<typeof parseDocument>): number | null => {
  let offset: number | null = null
  visit(document, {
    Alias: (_key, { range }) => {
      offset = range?.[0] ?? 0
      return visit.BREAK
    },
  })
  return offset
}

/** The line of what the path leads to or, where that is missing, of what it is missing in. */
const findLine = (
  document: ReturnType<typeof parseDocument>,
  path: readonly unknown[],
  lines: LineCounter,
): number => {
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return 1
}

const describe = (issue: v.BaseIssue<unknown>, path: readonly unknown[]): string => {
  const where = path.length === 0 ? 'the profile' : path.join('.')
  const key = path.at(-1)
  if (issue.type === 'strict_object' && issue.expected === 'never')
    return `${where} is not known (try to leave it out; docs/profiles.md says what there is)`
  if (issue.type === 'strict_object' && issue.received === 'undefined')
    return `${where} is missing (try a line '${String(key)}: …')`
  if (key === 'knob') return `there is no knob ${issue.received} (try one of ${KNOB_NAMES.join(', ')})`
  const expected = issue.expected === null || issue.type === 'regex' ? '' : ` (try ${issue.expected})`
  return `${where}: ${issue.message}${expected}`
}
