import { machine } from 'node:os'
import { type Command, Option } from 'commander'
import { listProfileNames, loadProfile, readProfile } from '../profiles/find.js'
import { ProfileError } from '../profiles/parse.js'
import type { Profile } from '../profiles/profile.js'
import { explainUnmet, type Facts } from '../profiles/when.js'
import { describeBoard } from '../system/board.js'
import { listOnlineCpus } from '../system/cpus.js'
import { listNics } from '../system/nics.js'
import { printable } from '../text/printable.js'
import { createStyle } from '../text/style.js'
import { reportWidth, wrap } from '../text/width.js'
import { EXIT, Failure } from './failure.js'
import { hasColor, terminalColumns } from './terminal.js'

type Json = { json?: boolean }
const createJsonOption = () => new Option('--json', 'print one JSON document')

/** Adds `taut profiles`: which profiles there are, what is in them, and whether a file is a valid one. */
export const addProfiles = (program: Command): void => {
  const profiles = program.command('profiles').description('list, show, check profiles')
  profiles
    .command('list', { isDefault: true })
    .description('the profiles that there are, and whether they fit this machine')
    .addOption(createJsonOption())
    .action(list)
  profiles
    .command('show')
    .description('the settings of a profile, each with its reason')
    .argument('<profile>', 'its name, or the path of its file')
    .addOption(createJsonOption())
    .action(show)
  profiles
    .command('check')
    .description('whether files are valid profiles, and what is wrong with them')
    .argument('<files...>', 'the files')
    .addOption(createJsonOption())
    .action(check)
}

/** Gives what of this machine a profile may ask for. */
export const findFacts = (): Facts => {
  const { model, isVirtual } = describeBoard()
  return {
    cpus: listOnlineCpus().length,
    isVirtual,
    board: model,
    architecture: machine(),
    drivers: listNics().flatMap(({ driver }) => (driver === null ? [] : [driver])),
  }
}

/** Gives a profile; throws a Failure that says what is wrong with it. */
export const findProfile = (nameOrPath: string): Profile => {
  try {
    return loadProfile(nameOrPath)
  } catch (error) {
    if (error instanceof ProfileError) throw new Failure(error.message, EXIT.failed, { cause: error })
    throw error
  }
}

type Listed = {
  name: string
  about: string | null
  fits: boolean
  unmet: string[]
  problems: readonly string[]
}

/** A file that is no valid profile is named, and keeps no other from being listed. */
const describeProfile = (name: string, facts: Facts): Listed => {
  try {
    const { about, when } = loadProfile(name)
    const unmet = explainUnmet(when, facts)
    return { name, about, fits: unmet.length === 0, unmet, problems: [] }
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error
    return { name, about: null, fits: false, unmet: [], problems: error.problems }
  }
}

const list = ({ json }: Json): void => {
  const facts = findFacts()
  const profiles = listProfileNames().map(name => describeProfile(name, facts))
  if (json) {
    process.stdout.write(`${JSON.stringify(profiles)}\n`)
    return
  }
  const sections = profiles.map(({ name, about, unmet, problems }) => [
    style().bold(printable(name)),
    ...(about === null ? [] : indent(about)),
    ...(unmet.length === 0 ? [] : indent(`not for this machine: ${unmet.join('; ')}`)),
    ...problems.flatMap(problem => indent(`no valid profile: ${printable(problem)}`)),
  ])
  process.stdout.write(`${sections.map(lines => lines.join('\n')).join('\n\n')}\n`)
}

const show = (name: string, { json }: Json): void => {
  const profile = findProfile(name)
  if (json) {
    process.stdout.write(`${JSON.stringify(profile)}\n`)
    return
  }
  const unmet = explainUnmet(profile.when, findFacts())
  const sections = profile.settings.map(({ knob, value, why, nic, cpus, service }) => {
    const selectors = Object.entries({ nic, cpus, service }).filter(([, text]) => text !== undefined)
    const suffix = selectors.map(([key, text]) => ` ${key} ${text}`).join(',')
    return [...wrap(`${knob}: ${value}${suffix}`, width()).map(line => style().bold(line)), ...indent(why)]
  })
  const head = [
    ...wrap(profile.about, width()),
    ...(unmet.length === 0 ? [] : wrap(`Not for this machine: ${unmet.join('; ')}.`, width())),
  ]
  process.stdout.write(`${[head, ...sections].map(lines => lines.join('\n')).join('\n\n')}\n`)
}

const check = (files: readonly string[], { json }: Json): void => {
  const results = files.map(file => ({ file, problems: findProblems(file) }))
  if (json) process.stdout.write(`${JSON.stringify(results)}\n`)
  else
    for (const { file, problems } of results)
      process.stdout.write(
        problems.length === 0 ? `${printable(file)}: valid\n` : `${problems.map(printable).join('\n')}\n`,
      )
  if (results.some(({ problems }) => problems.length > 0)) process.exitCode = EXIT.failed
}

const findProblems = (file: string): readonly string[] => {
  try {
    readProfile(file)
    return []
  } catch (error) {
    if (error instanceof ProfileError) return error.problems
    throw error
  }
}

const width = (): number => reportWidth(terminalColumns(process.stdout))
const style = () => createStyle(hasColor(process.stdout))
const indent = (text: string): string[] => wrap(text, width() - 2).map(line => `  ${line}`)
