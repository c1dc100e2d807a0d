import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const run = promisify(execFile)
const LINT = fileURLToPath(new URL('../../../scripts/lint.mjs', import.meta.url))

/** Lets Node believe that it runs on another machine. */
const pretend = (arch: string): string[] => [
  '--import',
  `data:text/javascript,Object.defineProperty(process, 'arch', { value: '${arch}' })`,
]

test('where biome has no binary, lint says that it is skipped', async t => {
  const { stdout, stderr } = await run(process.execPath, [...pretend('arm'), LINT])
  t.is(stdout, 'lint: skipped, biome has no binary for linux-arm\n')
  t.is(stderr, '')
})
