#!/usr/bin/env node
// Runs biome over the project; where biome has no binary for the machine, as on 32-bit ARM, says so and does nothing.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import process from 'node:process'

const manifest = createRequire(import.meta.url).resolve('@biomejs/biome/package.json')
const { optionalDependencies } = JSON.parse(readFileSync(manifest, 'utf8'))
const machine = `${process.platform}-${process.arch}`

if (`@biomejs/cli-${machine}` in optionalDependencies) {
  const biome = join(dirname(manifest), 'bin/biome')
  const args = [biome, 'check', '--error-on-warnings', '.', ...process.argv.slice(2)]
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1
} else {
  process.stdout.write(`lint: skipped, biome has no binary for ${machine}\n`)
}
