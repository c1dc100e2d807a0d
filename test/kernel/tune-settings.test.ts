import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readJournal } from '../../src/journal/journal.js'
import { takeLock } from '../../src/journal/lock.js'
import { openStateFolder } from '../../src/journal/state-folder.js'
import { KNOBS } from '../../src/knobs/all.js'
import { planWish } from '../../src/knobs/apply.js'
import type { Selection } from '../../src/knobs/knob.js'
import { listServices } from '../../src/system/services.js'
import { TrialSettings } from '../../src/tune/settings.js'
import { createFolder } from './support/folder.js'
import { kernelTest } from './support/kernel-test.js'
import { listCpus, pinProcess } from './support/scheduler.js'
import { startMemcached } from './support/services.js'

const run = promisify(execFile)

kernelTest(
  'what tune is yet to try is not in the journal, and what somebody else makes of it stays',
  async t => {
    const service = await startMemcached(t)
    const found = (await listServices()).find(({ port }) => port === service.port)
    if (found === undefined) throw new Error('memcached is not found')
    const readCpus = async (): Promise<string> => (await run('taskset', ['-pc', String(service.pid)])).stdout
    const online = listCpus()
    const selection: Selection = {
      online,
      nics: [],
      cpus: null,
      service: found,
      moves: new Map(),
      before: [],
    }
    const wish = { knob: KNOBS['cpu.app_affinity'], value: 'first', why: 'a test', selection }
    using folder = openStateFolder(join(await createFolder(t), 'state'), { create: true })
    using lock = takeLock(folder, { isUndoing: false })
    const settings = await TrialSettings.open(folder, lock)
    const [tried, untried] = [
      settings.prepare([await planWish(wish)]),
      settings.prepare([await planWish(wish)]),
    ]
    t.deepEqual(readJournal(folder), [])
    const before = await readCpus()
    await settings.set(tried, true)
    t.is(readJournal(folder).length, 1)
    await settings.drop(tried)
    t.is(await readCpus(), before)
    t.false(untried.isOn)
    // Somebody else's.
    await pinProcess(service.pid, online.at(-1) ?? 0)
    const theirs = await readCpus()
    t.not(theirs, before)
    t.deepEqual(await settings.close(), [])
    t.is(await readCpus(), theirs)
  },
  'memcached',
  'taskset',
)
