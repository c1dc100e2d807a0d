import { compile, compileProbes, rootPath } from '../../kernel/support/fixtures.js'

const SOURCES = rootPath('test/endurance/programs')
const BUILT = rootPath('dist/test/endurance/programs')

/** The program that counts the elements of socket storage, and the BPF object that it loads. */
export const COUNT_STATE = { program: `${BUILT}/count-state`, object: `${BUILT}/count-state.bpf.o` }

/** Compiles them. */
export const buildPrograms = async (): Promise<void> => {
  await compile(`${SOURCES}/count-state.c`, COUNT_STATE.program, '-lbpf')
  await compileProbes(COUNT_STATE.object, `${SOURCES}/count-state.bpf.c`)
}
