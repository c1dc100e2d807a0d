import { statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { listPrograms } from 'libbpf-ts'
import { buildFixtures } from './fixtures.js'
import { describeLeftovers, takeSnapshot } from './leftovers.js'

export type Context = ExecutionContext

/**
 * Registers a test that loads probes, and the programs it needs on the PATH. Where it cannot run it is skipped, with
 * the reason in its title.
 */
export const kernelTest = (
  title: string,
  run: (t: Context) => Promise<void>,
  ...programs: string[]
): void => {
  const obstacle = findObstacle(programs)
  if (obstacle === null) test.serial(title, run)
  else test.skip(`${title} (${obstacle})`, run)
}

const findObstacle = (programs: string[]): string | null => {
  if (process.getuid?.() !== 0) return 'needs root'
  const missing = programs.find(program => !isInstalled(program))
  if (missing !== undefined) return `needs ${missing} to be installed`
  try {
    listPrograms()
    return null
  } catch (error) {
    return `needs BPF: ${error instanceof Error ? error.message : error}`
  }
}

const isInstalled = (program: string): boolean =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .some(folder => statSync(join(folder, program), { throwIfNoEntry: false })?.isFile() === true)

if (findObstacle([]) === null) {
  const before = takeSnapshot()
  test.before('builds the fixtures', buildFixtures)
  test.after.always('leaves the machine as it was', async t => {
    t.deepEqual(await describeLeftovers(await before), [])
  })
}
