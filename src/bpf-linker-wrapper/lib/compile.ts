import { readFile, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Compiler, runClang } from './clang.js'
import { parseDepfile } from './depfile.js'
import { hash, hashFile, moveInto, readJson, temporaryName, writeWhole } from './files.js'
import { mapPrefixes } from './prefixes.js'
import { kernelNameOf, type Target } from './target.js'

/** How all sources of an object are compiled. */
export interface CompileSettings {
  readonly compiler: Compiler
  readonly target: Target
  readonly sources: readonly string[]
  readonly includeDirs: readonly string[]
  readonly defines: Readonly<Record<string, string | true>>
  readonly cflags: readonly string[]
  readonly color: boolean
  readonly cacheDir: string
}

/** What became of a source: its object, whether clang had to run, how it ended and what it said. */
export interface Compilation {
  readonly source: string
  readonly object: string
  readonly rebuilt: boolean
  readonly exitCode: number
  readonly messages: string
}

const listArguments = (settings: CompileSettings): string[] => {
  const { compiler, target, sources, includeDirs, defines, cflags } = settings
  const folders = [...sources.map(source => dirname(source)), ...includeDirs, ...compiler.systemDirs]
  return [
    '-target',
    target,
    '-g',
    '-O2',
    '-mcpu=v3',
    `-D__TARGET_ARCH_${kernelNameOf(process.arch)}`,
    '-fdebug-compilation-dir=.',
    ...mapPrefixes(folders),
    ...includeDirs.map(folder => `-I${folder}`),
    ...compiler.systemDirs.flatMap(folder => ['-idirafter', folder]),
    ...Object.entries(defines).map(([name, value]) => (value === true ? `-D${name}` : `-D${name}=${value}`)),
    ...cflags,
  ]
}

/** What is kept beside an object: the hash of how it was made, its own, and those of all files that went into it. */
interface Remembered {
  readonly how: string
  readonly object: string
  readonly inputs: Readonly<Record<string, string>>
}

const isRemembered = (value: unknown): value is Remembered =>
  typeof value === 'object' &&
  value !== null &&
  'how' in value &&
  'object' in value &&
  'inputs' in value &&
  typeof value.inputs === 'object' &&
  value.inputs !== null

const isCurrent = async (remembered: unknown, how: string, object: string): Promise<boolean> => {
  if (!isRemembered(remembered) || remembered.how !== how || remembered.object !== (await hashFile(object))) {
    return false
  }

  const inputs = Object.entries(remembered.inputs)
  const hashes = await Promise.all(inputs.map(([path]) => hashFile(path)))
  return inputs.every(([, known], index) => known === hashes[index])
}

/** Hashes what went into an object; undefined when some of it changed since, so that nobody knows what was read. */
const hashInputs = async (
  paths: readonly string[],
  since: number,
): Promise<Record<string, string> | undefined> => {
  const inputs: Record<string, string> = {}
  for (const path of paths) {
    const hashed = await hashFile(path)
    if (hashed === undefined || (await stat(path)).mtimeMs > since) {
      return undefined
    }

    inputs[resolve(path)] = hashed
  }

  return inputs
}

/**
 * Makes a source's object in the cache folder, unless the one there came from the same content of the source and
 * all its headers, by the same flags and clang. Throws a BuildError when clang can't run or a file can't be written.
 */
export const compileSource = async (source: string, settings: CompileSettings): Promise<Compilation> => {
  const args = listArguments(settings)
  const how = hash(JSON.stringify([settings.compiler.clang, settings.compiler.version, args, source]))
  // Two sources may have one name in different folders.
  const stem = `${basename(source, '.c')}-${hash(resolve(source)).slice(0, 8)}`
  const object = join(settings.cacheDir, `${stem}.o`)
  const memory = join(settings.cacheDir, `${stem}.json`)
  if (await isCurrent(await readJson(memory), how, object)) {
    return { source, object, rebuilt: false, exitCode: 0, messages: '' }
  }

  const since = Date.now()
  const made = temporaryName(object)
  const rule = `${made}.d`
  const color = settings.color ? '-fcolor-diagnostics' : '-fno-color-diagnostics'
  try {
    const run = await runClang(settings.compiler.clang, [
      ...args,
      color,
      '-MD',
      '-MF',
      rule,
      '-c',
      source,
      '-o',
      made,
    ])
    const messages = run.stdout + run.stderr
    if (run.exitCode !== 0) {
      return { source, object, rebuilt: true, exitCode: run.exitCode, messages }
    }

    const inputs = await hashInputs(parseDepfile(await readFile(rule, 'utf8')), since)
    const remembered = { how, object: await hashFile(made), inputs }
    await moveInto(made, object)
    if (inputs === undefined) {
      await rm(memory, { force: true })
    } else {
      await writeWhole(memory, `${JSON.stringify(remembered, undefined, 2)}\n`)
    }

    return { source, object, rebuilt: true, exitCode: 0, messages }
  } finally {
    await Promise.all([rm(made, { force: true }), rm(rule, { force: true })])
  }
}
