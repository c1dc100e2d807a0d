import { compileProbes, rootPath } from './fixtures.js'
import type { Context } from './kernel-test.js'
import { startAnswering } from './processes.js'

/**
 * Starts probes that share nothing with taut's, test/kernel/fixtures/NAME.bpf.c, with these values in their variables; gives what
 * gives the value of the variable that they count in.
 */
export const startOwnProbes = async (
  t: Context,
  name: string,
  variables: Record<string, number>,
  counter: string,
): Promise<() => Promise<number>> => {
  const object = rootPath(`dist/test/kernel/fixtures/${name}.bpf.o`)
  await compileProbes(object, rootPath(`test/kernel/fixtures/${name}.bpf.c`))
  const ask = await startAnswering<number>(t, rootPath('dist/test/kernel/fixtures/own-probes.js'), [
    object,
    counter,
    ...Object.entries(variables).map(([variable, value]) => `${variable}=${value}`),
  ])
  return () => ask('')
}
