import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { readProfile } from '../../src/profiles/find.js'
import { ProfileError, parseProfile } from '../../src/profiles/parse.js'

const PROFILE = `version: 1
name: own
about: A profile of a test.
settings:
  - knob: vm.thp
    value: never
    why: A test.
`

const makeFolder = (t: ExecutionContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-profiles-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

const refused = (message: RegExp) => ({ instanceOf: ProfileError, message })

test('a profile is read up to 64 KB, and no further', t => {
  const path = join(makeFolder(t), 'own.yaml')
  const pad = (bytes: number): string => `${PROFILE}#${'a'.repeat(bytes - PROFILE.length - 2)}\n`
  writeFileSync(path, pad(64 << 10))
  t.is(readProfile(path).name, 'own')
  writeFileSync(path, pad((64 << 10) + 1))
  t.throws(() => readProfile(path), refused(/own\.yaml:1: too large for a profile \(try less than 64 KB\)/))
})

test('a file of absurd size is not even read', t => {
  const path = join(makeFolder(t), 'own.yaml')
  writeFileSync(path, PROFILE)
  truncateSync(path, 2 ** 40)
  t.throws(() => readProfile(path), refused(/too large for a profile/))
})

test('what is no file does not keep taut waiting', t => {
  const folder = makeFolder(t)
  mkdirSync(join(folder, 'folder.yaml'))
  execFileSync('mkfifo', [join(folder, 'pipe.yaml')])
  symlinkSync('/dev/zero', join(folder, 'device.yaml'))
  for (const name of ['folder', 'pipe', 'device'])
    t.throws(() => readProfile(join(folder, `${name}.yaml`)), refused(/it is no file/))
})

test('settings without number, nested or repeated absurdly, are refused', t => {
  const settings = "  - { knob: vm.thp, value: never, why: 'A test.' }\n".repeat(1000)
  t.throws(() => parseProfile(PROFILE + settings, 'own.yaml'), { instanceOf: ProfileError })
  t.throws(() => parseProfile('['.repeat(30_000) + ']'.repeat(30_000), 'own.yaml'), {
    instanceOf: ProfileError,
  })
})
