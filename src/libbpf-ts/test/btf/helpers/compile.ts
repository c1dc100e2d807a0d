import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Tells whether a command is there to be run. */
export const hasCommand = async (command: string): Promise<boolean> => {
  try {
    await run(command, ['--version'])
    return true
  } catch {
    return false
  }
}

/** Gives the object that clang makes of BPF C source, for bpfel or bpfeb. */
export const compile = async (source: string, target: 'bpfel' | 'bpfeb'): Promise<Uint8Array> => {
  const folder = await mkdtemp(join(tmpdir(), 'btf-test-'))
  try {
    const input = join(folder, 'source.bpf.c')
    const output = join(folder, 'object.o')
    await writeFile(input, source)
    await run('clang', ['-target', target, '-g', '-O2', '-c', input, '-o', output])
    return await readFile(output)
  } finally {
    await rm(folder, { recursive: true })
  }
}
