import { execFile } from 'node:child_process'
import { mkdir, rename, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ROOT = new URL('../../../../', import.meta.url)

/** Gives the path of a file below the project's root. */
export const rootPath = (path: string): string => fileURLToPath(new URL(path, ROOT))

/** The load client; the service whose time is known; the same in datagrams; the wrapper that hides BPF from a program. */
export const KVLOAD = rootPath('dist/bench/load/kvload')
export const SERVICE = rootPath('dist/test/kernel/fixtures/service')
export const DATAGRAMS = rootPath('dist/test/kernel/fixtures/datagrams')
export const NO_BPF = rootPath('dist/test/kernel/fixtures/no-bpf')

/** Compiles the C programs that the tests need, where they are older than their source. */
export const buildFixtures = async (): Promise<void> => {
  await run(process.execPath, [rootPath('bench/load/build.mjs')])
  await compile(rootPath('test/kernel/fixtures/service.c'), SERVICE)
  await compile(rootPath('test/kernel/fixtures/datagrams.c'), DATAGRAMS)
  await compile(rootPath('test/kernel/fixtures/no-bpf.c'), NO_BPF)
}

const compile = async (source: string, output: string): Promise<void> => {
  const built = await stat(output).catch(() => null)
  if (built !== null && built.mtimeMs >= (await stat(source)).mtimeMs) return
  await mkdir(new URL('dist/test/kernel/fixtures/', ROOT), { recursive: true })
  // Renamed into place: a half-written program must not look newer than its source.
  const unfinished = `${output}.${process.pid}`
  await run('cc', ['-O2', '-std=gnu17', '-Wall', '-Wextra', '-Werror', '-pthread', '-o', unfinished, source])
  await rename(unfinished, output)
}
