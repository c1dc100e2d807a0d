import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readJournal } from '../../src/journal/journal.js'
import { takeLock } from '../../src/journal/lock.js'
import { openStateFolder } from '../../src/journal/state-folder.js'
import { KNOBS } from '../../src/knobs/all.js'
import { type Plan, planWish } from '../../src/knobs/apply.js'
import type { Selection } from '../../src/knobs/knob.js'
import { listServices } from '../../src/system/services.js'
import { InterferenceError } from '../../src/tune/refused.js'
import { overlaps, TrialSettings } from '../../src/tune/settings.js'
import { createFolder } from './support/folder.js'
import { kernelTest } from './support/kernel-test.js'
import { listCpus, pinProcess } from './support/scheduler.js'
import { startMemcached } from './support/services.js'

const run = promisify(execFile)

/** Plans which CPUs the service on a port may run on. */
const planCpus = async (port: number, value: string): Promise<Plan> => {
  const service = (await listServices()).find(found => found.port === port)
  if (service === undefined) throw new Error('memcached is not found')
  const selection: Selection = {
    online: listCpus(),
    nics: [],
    cpus: null,
    service,
    moves: new Map(),
    before: [],
  }
  return planWish({ knob: KNOBS['cpu.app_affinity'], value, why: 'a test', selection })
}

kernelTest(
  'what tune is yet to try is not in the journal, and what somebody else makes of it stays',
  async t => {
    const service = await startMemcached(t)
    const readCpus = async (): Promise<string> => (await run('taskset', ['-pc', String(service.pid)])).stdout
    const online = listCpus()
    using folder = openStateFolder(join(await createFolder(t), 'state'), { create: true })
    using lock = takeLock(folder, { isUndoing: false })
    const settings = await TrialSettings.open(folder, lock)
    const [tried, untried] = [
      settings.prepare([await planCpus(service.port, 'first')]),
      settings.prepare([await planCpus(service.port, 'first')]),
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

kernelTest(
  'of two that were tried at one place the first is tried again: what puts all back puts that back as well',
  async t => {
    const service = await startMemcached(t)
    const readCpus = async (): Promise<string> => (await run('taskset', ['-pc', String(service.pid)])).stdout
    const online = listCpus()
    using folder = openStateFolder(join(await createFolder(t), 'state'), { create: true })
    using lock = takeLock(folder, { isUndoing: false })
    const settings = await TrialSettings.open(folder, lock)
    const prepare = async (cpu: number | undefined) =>
      settings.prepare([await planCpus(service.port, String(cpu))])
    const [first, second] = [await prepare(online[0]), await prepare(online.at(-1))]
    const before = await readCpus()
    for (const candidate of [first, second]) {
      await settings.set(candidate, true)
      t.not(await readCpus(), before)
      await settings.set(candidate, false)
      t.is(await readCpus(), before)
    }
    await settings.set(first, true)
    t.deepEqual(await settings.close(), [])
    t.is(await readCpus(), before)
    t.deepEqual(readJournal(folder), [])
  },
  'memcached',
  'taskset',
)

kernelTest(
  'what somebody else puts back, or sets, is noticed while it is on and while it is off, and stays; the rest goes back',
  async t => {
    const [one, other] = [await startMemcached(t), await startMemcached(t)]
    const readCpus = async (pid: number): Promise<string> =>
      (await run('taskset', ['-pc', String(pid)])).stdout.trim().replace(/^.*: /, '')
    const online = listCpus()
    const plans = [await planCpus(one.port, 'first'), await planCpus(other.port, 'first')]
    using folder = openStateFolder(join(await createFolder(t), 'state'), { create: true })
    using lock = takeLock(folder, { isUndoing: false })
    const settings = await TrialSettings.open(folder, lock)
    const before = await readCpus(one.pid)
    const [both, same] = [settings.prepare(plans), settings.prepare(plans.slice(0, 1))]
    await settings.check(both)
    await settings.set(both, true)
    await settings.check(both)
    // As it was before, which neither a write nor the way back would notice.
    await run('taskset', ['-apc', before, String(one.pid)])
    await t.throwsAsync(settings.check(both), {
      instanceOf: InterferenceError,
      message: /^someone else has set CPUs of memcached \(\d+\) to/,
    })
    await settings.abandon(both)
    t.deepEqual([await readCpus(one.pid), await readCpus(other.pid)], [before, before])
    t.deepEqual(readJournal(folder), [])
    t.true(overlaps(both, same), 'what was let go of is still known to be its place')
    // Off, and somebody else turns it on.
    await settings.check(same)
    await run('taskset', ['-apc', String(online[0]), String(one.pid)])
    await t.throwsAsync(settings.check(same), { instanceOf: InterferenceError })
    t.deepEqual(await settings.close(), [])
    t.is(await readCpus(one.pid), String(online[0]))
  },
  'memcached',
  'taskset',
)
