import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const sources = join(root, 'test/bpf')
const targetArchitectures: Readonly<Record<string, string>> = { x64: 'x86', arm64: 'arm64', arm: 'arm' }

const modified = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Gives the path of a test object, compiled from test/bpf by clang when it is older than the sources. */
export const compileObject = (name: string, ...flags: readonly string[]): string => {
  const source = join(sources, `${name}.bpf.c`)
  const output = join(root, 'dist/test/bpf', `${[name, ...flags].join('').replaceAll(/[^\w-]/g, '_')}.bpf.o`)
  const headers = readdirSync(sources).filter(file => file.endsWith('.h'))
  if (modified(output) < Math.max(modified(source), ...headers.map(file => modified(join(sources, file))))) {
    mkdirSync(dirname(output), { recursive: true })
    const unfinished = `${output}.${process.pid}`
    execFileSync('clang', [
      '-g',
      '-O2',
      '-Wall',
      '-Werror',
      '--target=bpf',
      `-D__TARGET_ARCH_${targetArchitectures[process.arch] ?? process.arch}`,
      // Where Debian keeps asm/*.h, which the bpf target doesn't look into by itself.
      `-I/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
      ...flags,
      '-c',
      source,
      '-o',
      unfinished,
    ])
    renameSync(unfinished, output)
  }

  return output
}
