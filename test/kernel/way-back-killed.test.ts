import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { MIDST, STRIDE, type World, waitForGuard, wayBackTest } from './support/way-back.js'

/** Of the writes of settings, one of the last. */
const LATE_WRITE = 12

/** Putting ten settings back takes two steps each, and the journal is written now and then. */
const FEWEST_STEPS = 20

/** How often taut or its guard was killed in these tests, and how many of them are done. */
let kills = 0
let done = 0
const TESTS = 5

const readEntries = async ({ state }: World): Promise<{ kept: boolean }[]> => {
  const text = await readFile(join(state, 'journal.json'), 'utf8').catch(() => '{"entries":[]}')
  return JSON.parse(text).entries
}

const putRestBack = async (world: World): Promise<void> => {
  const { code, stderr } = await world.taut('revert', '--all')
  world.t.is(code, 0, stderr)
}

wayBackTest(
  'killed at steps of an apply: its guard puts everything back, or taut revert where that is killed as well',
  async (world, before) => {
    const { t } = world
    for (let at = 1, turn = 0; ; at += STRIDE, turn++) {
      // Where each step is one, by both; else in turn.
      const ways = STRIDE === 1 ? ['kill', 'kill-all'] : [turn % 2 === 0 ? 'kill' : 'kill-all']
      for (const way of ways) {
        const { code, signal } = await world.broken({ way, at }, ...world.apply)
        await waitForGuard(world)
        const entries = await readEntries(world)
        if (way === 'kill' && !entries.some(({ kept }) => kept))
          t.deepEqual(entries, [], `by the guard, ${at}`)
        else await putRestBack(world)
        t.is(await world.settings(), before, `${way} at ${at}`)
        if (code === 0) {
          t.log(`${at - 1} steps`)
          t.true(at > 200)
          done++
          return
        }
        t.is(signal, 'SIGKILL')
        kills++
      }
    }
  },
)

wayBackTest('killed at steps of a revert, the next one puts the rest back', async (world, before) => {
  const { t } = world
  const [apply = '', ...rest] = world.apply
  // There are few.
  for (let at = 1; ; at++) {
    const applied = await world.taut(apply, ...rest)
    t.is(applied.code, 0, applied.stderr)
    const { code } = await world.broken({ way: 'kill', at }, 'revert')
    await putRestBack(world)
    t.is(await world.settings(), before, `killed at ${at}`)
    if (code === 0) {
      t.log(`${at - 1} steps`)
      t.true(at > 40)
      done++
      return
    }
    kills++
  }
})

wayBackTest(
  'a guard that is killed while it puts back: taut revert puts the rest back',
  async (world, before) => {
    const { t } = world
    for (let guardAt = 1; ; guardAt++) {
      const { signal } = await world.broken({ way: 'kill', at: MIDST, guardAt }, ...world.apply)
      t.is(signal, 'SIGKILL')
      await waitForGuard(world)
      // All is back where the guard was done before that step.
      const isDone = (await readEntries(world)).length === 0
      await putRestBack(world)
      t.is(await world.settings(), before, `guard killed at ${guardAt}`)
      kills++
      if (!isDone) continue
      t.log(`${guardAt - 1} steps of the guard`)
      t.true(guardAt > FEWEST_STEPS)
      done++
      return
    }
  },
)

wayBackTest(
  'killed while it takes back what it could not finish: its guard goes on',
  async (world, before) => {
    const { t } = world
    for (let killAfter = 1; ; killAfter++) {
      const breaking = { way: 'EIO', at: LATE_WRITE, steps: 'knobs', killAfter } as const
      const { code, signal } = await world.broken(breaking, ...world.apply)
      await waitForGuard(world)
      t.deepEqual(await readEntries(world), [])
      t.is(await world.settings(), before, `killed ${killAfter} steps after a write that failed`)
      if (signal === 'SIGKILL') {
        kills++
        continue
      }
      t.is(code, 1)
      t.log(`${killAfter - 1} steps`)
      t.true(killAfter > FEWEST_STEPS)
      done++
      return
    }
  },
)

wayBackTest(
  'killed while it puts back what a killed run had left: the next one goes on',
  async (world, before) => {
    const { t } = world
    for (let at = 1; ; at += Math.min(2, STRIDE)) {
      const left = await world.broken({ way: 'kill-all', at: MIDST }, ...world.apply)
      t.is(left.signal, 'SIGKILL')
      t.not(await world.settings(), before)
      const { signal } = await world.broken({ way: 'kill-all', at }, ...world.apply)
      await waitForGuard(world)
      await putRestBack(world)
      t.is(await world.settings(), before, `killed at ${at}`)
      // By then it has put back, and is about to set all that anew.
      if (at <= MIDST) {
        t.is(signal, 'SIGKILL')
        kills++
        continue
      }
      t.log(`${at - 1} steps`)
      done++
      return
    }
  },
)

test.serial.after(t => {
  t.log(`${kills} kills`)
  // Where all of them ran, and not the one that somebody looks into.
  if (done === TESTS && STRIDE <= 3) t.true(kills >= 200)
})
