#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { printable } from '../text/printable.js'
import { VERSION } from '../version.js'
import { addDefaultCommand } from './default-command.js'
import { explain } from './explain.js'
import { EXIT } from './failure.js'
import { endWithReader } from './reader.js'

/** In the order of the help. */
const COMMANDS = {
  live: async () => (await import('./live.js')).addLive,
  measure: async () => (await import('./measure.js')).addMeasure,
  advise: async () => (await import('./advise.js')).addAdvise,
  tune: async () => (await import('./tune.js')).addTune,
  compare: async () => (await import('./compare.js')).addCompare,
  apply: async () => (await import('./apply.js')).addApply,
  revert: async () => (await import('./revert.js')).addRevert,
  status: async () => (await import('./status.js')).addStatus,
  profiles: async () => (await import('./profiles.js')).addProfiles,
  doctor: async () => (await import('./doctor.js')).addDoctor,
  demo: async () => (await import('./demo.js')).addDemo,
}

/** The command that is named, and no other: to load them all takes half a second, and longer on a small machine. */
const loadCommands = async (args: readonly string[]): Promise<((program: Command) => void)[]> => {
  const name = args.find(arg => arg !== '--debug')
  const named = Object.entries(COMMANDS).filter(([command]) => command === name)
  const loaded = named.length === 0 ? Object.entries(COMMANDS) : named
  return Promise.all(loaded.map(([, load]) => load()))
}

const createProgram = async (args: readonly string[]): Promise<Command> => {
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
  for (const add of await loadCommands(args)) add(program)
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
  const args = addDefaultCommand(process.argv.slice(2))
  const program = await createProgram(args)
  await program.parseAsync(args, { from: 'user' })
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
