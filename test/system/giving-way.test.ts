import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { givesWayTo } from '../../src/system/giving-way.js'
import { createFolder } from '../kernel/support/folder.js'

const [SERVICE, OTHER] = [40, 50]
const [NORMAL, IDLE] = [0, 5]

/** Fields 3 to 40 of proc_pid_stat(5) do not matter here. */
const stat = (policy: number): string => `1 (a) b) ${Array(38).fill(0).join(' ')} ${policy} 0\n`

const SAME = {
  [`${OTHER}/task/50/stat`]: stat(IDLE),
  [`${OTHER}/task/51/stat`]: stat(IDLE),
  [`${OTHER}/cgroup`]: '0::/a\n',
  [`${SERVICE}/cgroup`]: '0::/a\n',
  [`${OTHER}/autogroup`]: '/autogroup-7 nice 0\n',
  [`${SERVICE}/autogroup`]: '/autogroup-7 nice 0\n',
  'sys/kernel/sched_autogroup_enabled': '1\n',
}

const ask = async (t: ExecutionContext, files: Record<string, string>): Promise<boolean> => {
  const proc = await createFolder(t)
  for (const [name, text] of Object.entries({ ...SAME, ...files })) {
    mkdirSync(dirname(join(proc, name)), { recursive: true })
    writeFileSync(join(proc, name), text)
  }
  return givesWayTo([SERVICE], OTHER, proc)
}

test('a process gives way whose threads all get only what nobody else wants', async t => {
  t.true(await ask(t, {}))
  t.false(await ask(t, { [`${OTHER}/task/51/stat`]: stat(NORMAL) }))
})

test('who is in another cgroup gives way to nobody there', async t => {
  t.false(await ask(t, { [`${OTHER}/cgroup`]: '0::/b\n' }))
})

test('who is of another session gives way only where sessions are no groups', async t => {
  const another = { [`${OTHER}/autogroup`]: '/autogroup-8 nice 0\n' }
  t.false(await ask(t, another))
  t.true(await ask(t, { ...another, 'sys/kernel/sched_autogroup_enabled': '0\n' }))
})

test('a process that is gone gives way to nobody', async t => {
  t.false(givesWayTo([SERVICE], OTHER, await createFolder(t)))
})
