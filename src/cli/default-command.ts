/** What does not ask for the live view although it names no command. */
const PROGRAM_OPTIONS = ['-h', '--help', '-V', '--version']

/**
 * Gives the command line with `live` before it where it names no command: `taut` alone, or with options of the live
 * view. Commander's own default command would take a mistyped command's name for an argument of that one.
 */
export const addDefaultCommand = (args: readonly string[]): string[] => {
  const first = args.find(arg => arg !== '--debug')
  const isOption = first === undefined || (first.startsWith('-') && !PROGRAM_OPTIONS.includes(first))
  return isOption ? ['live', ...args] : [...args]
}
