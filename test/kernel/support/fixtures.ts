import { execFile } from 'node:child_process'
import { mkdir, rename, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = new URL('../../../../', import.meta.url)

/** Gives the path of a file below the project's root. */
export const rootPath = (path: string): string => fileURLToPath(new URL(path, ROOT))

/** The load client; the service whose time is known; the same in datagrams, and by io_uring; what counts a BPF map's entries; what runs a BPF program; the wrapper that hides BPF from a program. */
export const KVLOAD = rootPath('dist/bench/load/kvload')
export const SERVICE = rootPath('dist/test/kernel/fixtures/service')
export const DATAGRAMS = rootPath('dist/test/kernel/fixtures/datagrams')
export const IO_URING = rootPath('dist/test/kernel/fixtures/io-uring')
export const COUNT_ENTRIES = rootPath('dist/test/kernel/fixtures/count-entries')
export const RUN_PROGRAM = rootPath('dist/test/kernel/fixtures/run-program')
export const NO_BPF = rootPath('dist/test/kernel/fixtures/no-bpf')

/** Compiles the C programs that the tests need, where they are older than their source. */
export const buildFixtures = async (): Promise<void> => {
  await run(process.execPath, [rootPath('bench/load/build.mjs')])
  await compile(rootPath('test/kernel/fixtures/service.c'), SERVICE)
  await compile(rootPath('test/kernel/fixtures/datagrams.c'), DATAGRAMS)
  await compile(rootPath('test/kernel/fixtures/io-uring.c'), IO_URING)
  await compile(rootPath('test/kernel/fixtures/no-bpf.c'), NO_BPF)
  await compile(rootPath('test/kernel/fixtures/count-entries.c'), COUNT_ENTRIES, '-lbpf')
  await compile(rootPath('test/kernel/fixtures/run-program.c'), RUN_PROGRAM, '-lbpf')
}

/** What programs in C may include, beside their own source. */
const HEADER = rootPath('test/kernel/fixtures/clock.h')

/** Compiles a program in C where it is older than its source; flags go behind the source, as libraries have to. */
export const compile = async (source: string, output: string, ...flags: string[]): Promise<void> => {
  const built = await stat(output).catch(() => null)
  const sources = await Promise.all([source, HEADER].map(file => stat(file)))
  if (built !== null && sources.every(({ mtimeMs }) => built.mtimeMs >= mtimeMs)) return
  await mkdir(dirname(output), { recursive: true })
  // Renamed into place: a half-written program must not look newer than its source.
  const unfinished = `${output}.${process.pid}`
  const warnings = ['-Wall', '-Wextra', ...(process.env.FAIL_ON_WARNINGS ? ['-Werror'] : [])]
  await run('cc', ['-O2', '-std=gnu17', ...warnings, '-pthread', '-o', unfinished, source, ...flags])
  await rename(unfinished, output)
}

/** Compiles and links BPF programs, as taut's own are, with its headers. */
export const compileProbes = async (output: string, ...sources: string[]): Promise<void> => {
  const wrapper = rootPath('node_modules/.bin/bpf-linker-wrapper')
  await run(process.execPath, [wrapper, '--out', output, '--include', rootPath('bpf'), ...sources])
}
