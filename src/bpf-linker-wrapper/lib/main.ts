import { readArguments, usage } from './arguments.js'
import { BuildError, CompileError, reasonOf } from './error.js'

const summarize = (rebuilt: readonly string[], written: readonly string[], output: string): string => {
  if (rebuilt.length === 0 && written.length === 0) {
    return `nothing to do, ${output} is up to date`
  }

  const parts = []
  if (rebuilt.length > 0) {
    parts.push(`compiled ${rebuilt.join(', ')}`)
  }

  if (written.length > 0) {
    parts.push(`wrote ${written.join(', ')}`)
  }

  return parts.join('; ')
}

const run = async (args: readonly string[]): Promise<number> => {
  try {
    const options = readArguments(args)
    if (options === undefined) {
      process.stdout.write(usage)
      return 0
    }

    // Only now, so that a wrong command line is told even where the addon of libbpf-ts is not built yet.
    const { buildObject } = await import('./build.js')
    const color = process.stderr.isTTY === true && !process.env.NO_COLOR
    const { rebuilt, written, output, messages } = await buildObject({ ...options, color })
    process.stderr.write(messages)
    process.stderr.write(`bpf-linker-wrapper: ${summarize(rebuilt, written, output)}\n`)
    return 0
  } catch (error) {
    if (error instanceof CompileError) {
      process.stderr.write(error.messages)
      return error.exitCode
    }

    process.stderr.write(`bpf-linker-wrapper: ${reasonOf(error)}\n`)
    return error instanceof BuildError ? error.exitCode : 1
  }
}

process.exitCode = await run(process.argv.slice(2))
