#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { printable } from '../text/printable.js'
import { VERSION } from '../version.js'
import { addAdvise } from './advise.js'
import { addApply } from './apply.js'
import { addCompare } from './compare.js'
import { addDefaultCommand } from './default-command.js'
import { addDemo } from './demo.js'
import { addDoctor } from './doctor.js'
import { explain } from './explain.js'
import { EXIT } from './failure.js'
import { addLive } from './live.js'
import { addMeasure } from './measure.js'
import { addProfiles } from './profiles.js'
import { endWithReader } from './reader.js'
import { addRevert } from './revert.js'
import { addStatus } from './status.js'
import { addTune } from './tune.js'

const createProgram = (): Command => {
  const program = new Command('taut')
    .description('find where each network request spends its time inside this machine')
    .version(VERSION)
    .option('--debug', 'show where an error came from')
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(cleanError(text)) })
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help to see what there is)')
    .allowExcessArguments()
    .hook('preAction', (_program, command) => refuseArguments(command))
    .addHelpText('after', HELP_END)
  for (const add of [
    addLive,
    addMeasure,
    addAdvise,
    addTune,
    addCompare,
    addApply,
    addRevert,
    addStatus,
    addProfiles,
    addDoctor,
    addDemo,
  ])
    add(program)
  return program
}

const HELP_END = `
Without a command taut opens the live view, with its options: taut --port 11211
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 this machine can't, 4 not
permitted, 130 interrupted.`

/** What commander says of the arguments repeats them. */
const cleanError = (text: string): string =>
  text.replace(/^error: /, 'taut: ').replaceAll(/.+/g, line => printable(line))

/** Commander's own message counts them and does not name them. */
const refuseArguments = (command: Command): void => {
  if (command.registeredArguments.at(-1)?.variadic) return
  const [extra] = command.args.slice(command.registeredArguments.length)
  if (extra === undefined) return
  const takes = command.registeredArguments.length === 0 ? 'options only' : 'no more arguments'
  command.error(`error: ${command.name()} takes ${takes}, not '${extra}'`)
}

endWithReader()

const isDebug = process.argv.includes('--debug')
try {
  await createProgram().parseAsync(addDefaultCommand(process.argv.slice(2)), { from: 'user' })
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage
  } else {
    const { exitCode, message, details } = explain(error)
    process.stderr.write(`taut: ${printable(message)}\n`)
    for (const line of details) process.stderr.write(`  ${printable(line)}\n`)
    if (isDebug) console.error(error)
    process.exitCode = exitCode
  }
}
