// Compiles kvload.c to dist/bench/load/kvload, when the source is newer than what is there.
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const source = fileURLToPath(new URL('kvload.c', import.meta.url))
const output = fileURLToPath(new URL('../../dist/bench/load/kvload', import.meta.url))

const builtAt = statSync(output, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
if (builtAt < statSync(source).mtimeMs) {
  mkdirSync(dirname(output), { recursive: true })
  // Renamed into place: a half-written program must not look newer than its source.
  const unfinished = `${output}.${process.pid}`
  const warnings = ['-Wall', '-Wextra', ...(process.env.FAIL_ON_WARNINGS ? ['-Werror'] : [])]
  execFileSync('cc', ['-O2', '-std=gnu17', ...warnings, '-o', unfinished, source], { stdio: 'inherit' })
  renameSync(unfinished, output)
}
