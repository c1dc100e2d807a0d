import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { promisify } from 'node:util'
import { rootPath } from '../../kernel/support/fixtures.js'

const run = promisify(execFile)
const SOURCES = rootPath('test/endurance/programs')
const BUILT = rootPath('dist/test/endurance/programs')

/** The program that counts the elements of socket storage, and the BPF object that it loads. */
export const COUNT_STATE = { program: `${BUILT}/count-state`, object: `${BUILT}/count-state.bpf.o` }

/** Compiles them. */
export const buildPrograms = async (): Promise<void> => {
  await mkdir(BUILT, { recursive: true })
  const { program, object } = COUNT_STATE
  const warnings = ['-Wall', '-Wextra', '-Werror']
  await run('cc', ['-O2', '-std=gnu17', ...warnings, '-o', program, `${SOURCES}/count-state.c`, '-lbpf'])
  const wrapper = rootPath('node_modules/.bin/bpf-linker-wrapper')
  await run(process.execPath, [wrapper, '--out', object, `${SOURCES}/count-state.bpf.c`])
}
