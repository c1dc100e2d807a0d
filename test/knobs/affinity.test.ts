import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import {
  type AffinityPlace,
  findAffinityPlace,
  readAffinity,
  writeAffinity,
} from '../../src/knobs/places/affinity.js'
import { listHeld, putBackAffinity } from '../../src/knobs/places/given.js'
import { isSameValue } from '../../src/knobs/places/place.js'
import { readThread } from '../../src/system/threads.js'

/** Starts another process of its own for each line that it reads, and prints its number. */
const PARENT = 'while read _; do sleep 1000 >&2 & all="$all $!"; echo $!; done; kill $all'

const startParent = async (t: ExecutionContext) => {
  const parent = spawn('sh', ['-c', PARENT], { stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = once(parent, 'exit')
  t.teardown(async () => {
    parent.stdin.end()
    await ended
  })
  const fork = async (): Promise<AffinityPlace> => {
    parent.stdin.write('\n')
    const [pid] = await once(parent.stdout.setEncoding('utf8'), 'data')
    return find(Number(pid))
  }
  await once(parent, 'spawn')
  return { place: find(parent.pid ?? 0), fork }
}

const find = (pid: number): AffinityPlace => {
  const place = findAffinityPlace(pid)
  if (place === null) throw new Error(`process ${pid} is gone`)
  return place
}

/** Where a process may run on, but for one CPU; null where there is no other. */
const exclude = (place: AffinityPlace): string | null => {
  const [, ...rest] = readThread(place.pid, place.pid)?.cpus ?? []
  return rest.length === 0 ? null : rest.join(',')
}

test('a process that began later has what its parent was given, and gets back what that had before', async t => {
  const { place, fork } = await startParent(t)
  const to = exclude(place)
  if (to === null) return t.pass('there is but one CPU')
  const from = readAffinity(place) ?? ''
  const older = await fork()
  await writeAffinity(place, to)
  await writeAffinity(older, to)
  const given = { from, to: readAffinity(place) ?? '' }
  const later = await fork()
  t.is(readAffinity(later), given.to)

  const listPids = (ticks?: number): number[] =>
    listHeld(place, { ...given, ticks }).map(({ thread }) => thread.tid)
  t.deepEqual(listPids(), [place.pid])
  t.deepEqual(
    listPids(older.startTime),
    [place.pid, older.pid, later.pid].sort((a, b) => a - b),
  )
  t.deepEqual(listPids(later.startTime + 1), [place.pid])

  await putBackAffinity(place, { ...given, ticks: older.startTime }, { isAll: false })
  for (const each of [place, older, later]) t.is(readAffinity(each), from)
})

test('a process that was given other CPUs since is left, unless all is to be put back', async t => {
  const { place } = await startParent(t)
  const to = exclude(place)
  if (to === null) return t.pass('there is but one CPU')
  const from = readAffinity(place) ?? ''
  await writeAffinity(place, to)
  const given = { from, to: '8191' }
  await putBackAffinity(place, given, { isAll: false })
  t.not(readAffinity(place), from)
  await putBackAffinity(place, given, { isAll: true })
  t.is(readAffinity(place), from)
})

test('threads that have ended make no difference between two values', t => {
  const place = find(process.pid)
  const { startTime } = place
  t.true(isSameValue(place, '0-3 1@5=1', '0-3'))
  t.true(isSameValue(place, '0-3', `0-3 ${process.pid}@${startTime + 1}=1`))
  t.false(isSameValue(place, `0-3 ${process.pid}@${startTime}=1`, '0-3'))
  t.true(isSameValue(place, `0-3 ${process.pid}@${startTime}=1`, `0-3 ${process.pid}@${startTime}=1 2@5=0`))
  t.false(isSameValue(place, '0-3', '0-2'))
})
