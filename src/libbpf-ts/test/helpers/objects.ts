import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const sources = join(root, 'test/bpf')
const targetArchitectures: Readonly<Record<string, string>> = { x64: 'x86', arm64: 'arm64', arm: 'arm' }

/** Continuous integration wants none. */
const strictness = process.env.FAIL_ON_WARNINGS ? ['-Werror'] : []

const outputPath = (name: string) => {
  const folder = join(root, 'dist/test/bpf')
  mkdirSync(folder, { recursive: true })
  return join(folder, name)
}

const modified = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Debian's name for this machine, under which it keeps asm/*.h, where the bpf target doesn't look by itself. */
export const multiarch: string = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim()

/** Gives the path of a test object, compiled from test/bpf by clang when it is older than the sources. */
export const compileObject = (name: string, ...flags: readonly string[]): string => {
  const source = join(sources, `${name}.bpf.c`)
  const object = outputPath(`${[name, ...flags].join('').replaceAll(/[^\w-]/g, '_')}.bpf.o`)
  const headers = readdirSync(sources).filter(file => file.endsWith('.h'))
  if (modified(object) < Math.max(modified(source), ...headers.map(file => modified(join(sources, file))))) {
    const unfinished = `${object}.${process.pid}`
    execFileSync('clang', [
      '-g',
      '-O2',
      '-Wall',
      ...strictness,
      '--target=bpf',
      `-D__TARGET_ARCH_${targetArchitectures[process.arch] ?? process.arch}`,
      `-I/usr/include/${multiarch}`,
      ...flags,
      '-c',
      source,
      '-o',
      unfinished,
    ])
    renameSync(unfinished, object)
  }

  return object
}

/** Gives the path of a test program for this machine, compiled from test/bpf when it is older than its source. */
export const compileProgram = (name: string): string => {
  const source = join(sources, `${name}.c`)
  const program = outputPath(name)
  if (modified(program) < modified(source)) {
    const unfinished = `${program}.${process.pid}`
    execFileSync('gcc', ['-O2', '-Wall', ...strictness, source, '-o', unfinished])
    renameSync(unfinished, program)
  }

  return program
}
