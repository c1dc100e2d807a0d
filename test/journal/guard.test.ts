import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startGuard } from '../../src/journal/guard.js'
import { openStateFolder } from '../../src/journal/state-folder.js'

/** The machine's own would keep others waiting. */
const NO_LOCK = { fds: [], [Symbol.dispose]: () => undefined }

const makeFolder = (t: ExecutionContext): string => {
  const name = mkdtempSync(join(tmpdir(), 'taut-guard-'))
  t.teardown(() => rmSync(name, { recursive: true, force: true }))
  return name
}

test('a guard watches until it is dismissed', async t => {
  using folder = openStateFolder(makeFolder(t))
  const guard = await startGuard(folder, NO_LOCK)
  guard.check()
  await guard.dismiss()
  t.throws(guard.check, { message: /the guard is gone/ })
})

test('a guard that does not find the folder does not begin, and says why', async t => {
  const name = makeFolder(t)
  using folder = openStateFolder(name)
  rmSync(name, { recursive: true })
  await t.throwsAsync(startGuard(folder, NO_LOCK), { message: /did not start: .*ENOENT/ })
})
