import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findStateFolder, openStateFolder } from '../../src/journal/state-folder.js'

const makeFolder = (t: ExecutionContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-state-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

const modeOf = (path: string): number => statSync(path).mode & 0o7777

test('a folder that is missing is made, for its owner alone, with those that it is in', t => {
  const name = join(makeFolder(t), 'a', 'b')
  t.throws(() => openStateFolder(name), { code: 'ENOENT' })
  using _folder = openStateFolder(name, { create: true })
  t.is(modeOf(name), 0o700)
})

test('the mode of a folder that is there is never changed', t => {
  const name = makeFolder(t)
  for (const mode of [0o700, 0o755, 0o750]) {
    chmodSync(name, mode)
    using _folder = openStateFolder(name, { create: true })
    t.is(modeOf(name), mode)
  }
})

test('a folder that others may write to is refused, with what to do', t => {
  const name = makeFolder(t)
  for (const mode of [0o777, 0o1777, 0o770, 0o702]) {
    chmodSync(name, mode)
    for (const create of [false, true])
      t.throws(() => openStateFolder(name, { create }), { message: /others may write to .*try.*chmod go-w/ })
    t.is(modeOf(name), mode)
  }
  chmodSync(name, 0o700)
})

test('a link to a folder is refused', t => {
  const folder = makeFolder(t)
  const link = join(folder, 'link')
  symlinkSync(makeFolder(t), link)
  for (const create of [false, true]) t.throws(() => openStateFolder(link, { create }), { code: 'ENOTDIR' })
})

test('a relative name is one from where taut was started, and none is the usual one', t => {
  const folder = makeFolder(t)
  const before = process.env.TAUT_STATE
  t.teardown(() => {
    if (before === undefined) delete process.env.TAUT_STATE
    else process.env.TAUT_STATE = before
  })
  process.env.TAUT_STATE = relative(process.cwd(), folder)
  t.is(findStateFolder(), folder)
  using opened = openStateFolder()
  t.is(opened.name, folder)
  process.env.TAUT_STATE = ''
  t.is(findStateFolder(), '/var/lib/taut')
  t.false(existsSync(join(folder, 'journal.json')))
})
