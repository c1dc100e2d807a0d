import { execFile } from 'node:child_process'
import { cp, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

const fixtures = fileURLToPath(new URL('../../../test/bpf', import.meta.url))

/** The command, as npm links it. */
export const command = fileURLToPath(new URL('../../../bin/bpf-linker-wrapper.js', import.meta.url))

/** The compiler of TypeScript. */
export const tsc = fileURLToPath(new URL('bin/tsc', import.meta.resolve('typescript/package.json')))

/** A folder of its own with the test's sources in it, gone when the test ends. */
export const makeWorkspace = async (t: ExecutionContext) => {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'bpf-linker-wrapper-')))
  t.teardown(() => rm(root, { recursive: true }))
  await cp(fixtures, join(root, 'bpf'), { recursive: true })
  const path = (...names: string[]) => join(root, ...names)
  const first = path('bpf', 'first.bpf.c')
  const second = path('bpf', 'second.bpf.c')
  return { root, path, first, second, output: path('dist', 'all.bpf.o'), typesOutput: path('dist', 'all.ts') }
}

/** Runs a program to its end, whatever its exit code. */
export const run = (
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<{ exitCode: number; stdout: string; stderr: string }> =>
  new Promise((resolve, reject) => {
    execFile(file, args, options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') {
        reject(error)
      } else {
        resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr })
      }
    })
  })
