import { readFile, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, normalize } from 'node:path'
import { BpfError, linkObjects } from 'libbpf-ts'
import { inspectClang } from './clang.js'
import { type Compilation, type CompileSettings, compileSource } from './compile.js'
import { BuildError, CompileError, reasonOf } from './error.js'
import { hash, hashFile, makeFolderOf, moveInto, temporaryName, writeWhole } from './files.js'
import { generateTypes } from './generate/index.js'
import { hostTarget, type Target } from './target.js'

/** What to build from what. */
export interface BuildOptions {
  /** The C sources; their order does not matter. */
  readonly sources: readonly string[]
  /** Where the linked object goes. */
  readonly output: string
  /** Folders to look for headers in, as of clang's `-I`. */
  readonly includeDirs?: readonly string[]
  /** Macros: `true` defines one without a value. */
  readonly defines?: Readonly<Record<string, string | true>>
  /** Further arguments for clang, the last ones before the source. */
  readonly cflags?: readonly string[]
  /** The byte order of the kernels to run on, by default this machine's. */
  readonly target?: Target
  /** Where the TypeScript goes, and which types get into it besides those that maps and variables use. */
  readonly types?: { readonly output: string; readonly structs?: readonly string[] }
  /** The clang to run, by default the one on the PATH. */
  readonly clang?: string
  /** Where the objects of the single sources stay, by default a folder beside the output. */
  readonly cacheDir?: string
  /** Whether clang may colour its messages. */
  readonly color?: boolean
}

/** What a build did. */
export interface BuildResult {
  readonly output: string
  /** The sources that were compiled, the others being unchanged. */
  readonly rebuilt: readonly string[]
  /** The files written since their content differs from before: the output and the TypeScript. */
  readonly written: readonly string[]
  /** What clang wrote, its warnings, unchanged. */
  readonly messages: string
}

const compileAll = async (settings: CompileSettings): Promise<Compilation[]> => {
  const waiting = settings.sources.entries()
  const done: Compilation[] = []
  const work = async () => {
    for (const [index, source] of waiting) {
      done[index] = await compileSource(source, settings)
    }
  }

  // Nothing may still be writing to the cache when the build has failed.
  const ends = await Promise.allSettled(Array.from({ length: availableParallelism() }, work))
  const failed = ends.find(end => end.status === 'rejected')
  if (failed !== undefined) {
    throw failed.reason
  }

  return done
}

/** Links into a temporary file and moves it to its place only if it differs; tells whether it did. */
const link = async (output: string, objects: string[]): Promise<boolean> => {
  await makeFolderOf(output)
  const linked = temporaryName(output)
  try {
    linkObjects(linked, objects)
    if ((await hashFile(linked)) === (await hashFile(output))) {
      return false
    }

    await moveInto(linked, output)
    return true
  } catch (cause) {
    if (cause instanceof BuildError) {
      throw cause
    }

    const words = cause instanceof BpfError ? (cause.log ?? '').trim() : ''
    throw new BuildError([`libbpf did not link ${output}: ${reasonOf(cause)}`, words].join('\n').trim(), {
      cause,
    })
  } finally {
    await rm(linked, { force: true })
  }
}

const writeTypes = async (object: string, output: string, structs: readonly string[]): Promise<boolean> => {
  const text = generateTypes(await readFile(object), structs)
  if ((await hashFile(output)) === hash(text)) {
    return false
  }

  await writeWhole(output, text)
  return true
}

/**
 * Compiles sources with clang, links them with libbpf into one object without debug sections but with BTF, and
 * writes the TypeScript of the types it shares; does over again only what changed.
 * Throws a CompileError with clang's messages, or a BuildError that says what, why and what to do.
 */
export const buildObject = async (options: BuildOptions): Promise<BuildResult> => {
  const { output, types, cflags = [], defines = {}, color = false } = options
  if (options.sources.length === 0) {
    throw new BuildError('there are no sources to build from; name at least one *.bpf.c')
  }

  const sources = [...new Set(options.sources.map(source => normalize(source)))].sort()
  const includeDirs = (options.includeDirs ?? []).map(folder => normalize(folder))
  const cacheDir = options.cacheDir ?? join(dirname(output), `.${basename(output)}.cache`)
  const target = options.target ?? hostTarget()
  const compiler = await inspectClang(options.clang ?? 'clang')
  await makeFolderOf(output)
  await makeFolderOf(join(cacheDir, 'object'))

  const done = await compileAll({ compiler, target, sources, includeDirs, defines, cflags, color, cacheDir })
  const messages = done.map(compilation => compilation.messages).join('')
  const failed = done.filter(({ exitCode }) => exitCode !== 0)
  if (failed[0] !== undefined) {
    const names = failed.map(({ source }) => source)
    throw new CompileError(names, messages, failed[0].exitCode)
  }

  const written: string[] = []
  if (
    await link(
      output,
      done.map(({ object }) => object),
    )
  ) {
    written.push(output)
  }

  if (types !== undefined && (await writeTypes(output, types.output, types.structs ?? []))) {
    written.push(types.output)
  }

  const rebuilt = done.filter(compilation => compilation.rebuilt).map(({ source }) => source)
  return { output, rebuilt, written, messages }
}
