import { parseArgs } from 'node:util'
import type { BuildOptions } from './build.js'
import { BuildError, reasonOf } from './error.js'

/** How to call the command. */
export const usage =
  'usage: bpf-linker-wrapper --out FILE.o [--types FILE.ts] [--include DIR]... [--define NAME]... [--target bpfel|bpfeb] SOURCE.bpf.c...\n'

const wrong = (what: string) => new BuildError(`${what}\n${usage}`.trimEnd(), { exitCode: 2 })

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        define: { type: 'string', multiple: true },
        help: { type: 'boolean' },
        include: { type: 'string', multiple: true },
        out: { type: 'string' },
        target: { type: 'string' },
        types: { type: 'string' },
      },
    })
  } catch (error) {
    throw wrong(reasonOf(error))
  }
}

/** Gives what the command line asks to build, undefined when it asks for help; throws a BuildError, exit code 2. */
export const readArguments = (args: readonly string[]): BuildOptions | undefined => {
  const { values, positionals: sources } = parse(args)
  const { define = [], help, include: includeDirs = [], out: output, target, types } = values
  if (help === true) {
    return undefined
  }

  if (!output) {
    throw wrong('--out is missing: the file to write the object to')
  }

  if (target !== undefined && target !== 'bpfel' && target !== 'bpfeb') {
    throw wrong(`--target ${target} is neither bpfel nor bpfeb`)
  }

  const misnamed = define.find(name => !/^[A-Za-z_]\w*$/.test(name))
  if (misnamed !== undefined) {
    throw wrong(`--define ${misnamed} is no name of a macro`)
  }

  if (types === '') {
    throw wrong('--types is empty: it is the file to write the TypeScript to')
  }

  if (sources.length === 0) {
    throw wrong('there are no sources')
  }

  return {
    sources,
    output,
    includeDirs,
    defines: Object.fromEntries(define.map(name => [name, true as const])),
    ...(target === undefined ? {} : { target }),
    ...(types === undefined ? {} : { types: { output: types } }),
  }
}
