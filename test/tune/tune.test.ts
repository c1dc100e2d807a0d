import test from 'ava'
import { type Effect, simulate } from '../../bench/simulated-machine.js'
import { createRandom } from '../../src/statistics/random.js'
import { ALLOWANCES, judge, pairsNeeded } from '../../src/tune/judge.js'
import { planLooks } from '../../src/tune/looks.js'
import type { Pair, Slice } from '../../src/tune/slice.js'

const nothing = (name: string): Effect => ({ name, p99: 1 })

test('a setting that helps is kept, and is on in the end; the others are not', async t => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const helps: Effect = { name: 'helps', p99: 0.6 }
    const { run, on } = simulate(seed)
    const { kept, trials, before, after } = await run([nothing('a'), helps, nothing('b')])
    t.deepEqual(kept, [helps], `seed ${seed}: ${trials.map(({ reason }) => reason).join('; ')}`)
    t.deepEqual([...on], [helps])
    t.true((after?.p99 ?? 1) < (before?.p99 ?? 0))
  }
})

test('of 500 runs with settings that do nothing, at most one in a hundred keeps any', async t => {
  let keeping = 0
  for (let seed = 0; seed < 500; seed++) {
    const { kept } = await simulate(1000 + seed).run(['a', 'b', 'c', 'd'].map(nothing))
    if (kept.length > 0) keeping++
  }
  t.true(keeping <= 5, `${keeping} of 500`)
})

test('what betters p99 and worsens the mean by 40 % is refused', async t => {
  const { trials, kept } = await simulate(3).run([{ name: 'trap', p99: 0.5, mean: 1.4 }])
  t.deepEqual(kept, [])
  t.is(trials[0]?.decision, 'undone')
  t.regex(trials[0]?.reason ?? '', /^the mean rose by (3[5-9]|4[0-5]) %$/)
})

test('what betters p99 and has the CPUs work more than is allowed is refused', async t => {
  const { trials, kept } = await simulate(4).run([{ name: 'burns', p99: 0.5, busy: 1.8 }])
  t.deepEqual(kept, [])
  t.regex(trials[0]?.reason ?? '', /^the CPUs were busy for .* longer$/)
})

test('a load that doubles halfway fools nobody', async t => {
  for (const seed of [11, 12, 13, 14, 15, 16]) {
    const { kept } = await simulate(seed, { load: ms => (ms > 30_000 ? 2 : 1) }).run([
      nothing('a'),
      nothing('b'),
    ])
    t.deepEqual(kept, [], `seed ${seed}`)
  }
})

test('what collapses under a setting is stopped at once', async t => {
  const { trials, kept } = await simulate(6).run([{ name: 'breaks', p99: 1, throughput: 0.5 }])
  t.deepEqual(kept, [])
  t.regex(trials[0]?.reason ?? '', /^stopped at once, twice: the throughput fell by 5\d %$/)
  t.true((trials[0]?.pairs.length ?? 9) <= 1)
})

test('a pair that is lost to a disturbance costs no look', async t => {
  const { run } = simulate(51)
  const effect: Effect = { name: 'helps', p99: 0.4 }
  let isDisturbed = true
  // The first slice with it collapses, and so does the one after, whatever is on.
  Object.defineProperty(effect, 'throughput', {
    get: () => {
      const factor = isDisturbed ? 0.5 : 1
      isDisturbed = false
      return factor
    },
  })
  const { trials, kept } = await run([effect])
  t.deepEqual(kept, [effect], trials[0]?.reason)
  t.is((trials[0]?.pairs.length ?? 0) % 2, 1, 'one pair is lost')
})

test('of two settings that do the same, one goes again', async t => {
  // The second makes the first useless.
  const first: Effect = { name: 'first', p99: 0.8 }
  const second: Effect = { name: 'second', p99: 0.5 }
  const { run, on } = simulate(8)
  Object.defineProperty(first, 'p99', { get: () => (on.has(second) ? 1 : 0.8) })
  const { kept } = await run([first, second])
  t.deepEqual(kept, [second])
  t.deepEqual([...on], [second])
})

test('with a target, trying ends when it is reached, and what it is reached without is given back', async t => {
  const { run, on } = simulate(31)
  const [half, fourth, more]: Effect[] = [
    { name: 'half', p99: 0.6, busy: 1.05 },
    { name: 'fourth', p99: 0.3 },
    { name: 'more', p99: 0.5 },
  ]
  if (half === undefined || fourth === undefined || more === undefined) throw new Error('three')
  // 400 us without anything: the second alone reaches it.
  const { kept, trials } = await run([half, fourth, more], 5, { quantity: 'p99', ns: 200_000 })
  t.deepEqual(
    trials.map(({ candidate }) => candidate.name),
    ['half', 'fourth'],
  )
  t.deepEqual(kept, [fourth])
  t.is(trials[0]?.reason, 'the target is reached without it')
  t.deepEqual([...on], [fourth])
})

test('of two settings of the same place, the second is not tried once the first is kept', async t => {
  const first: Effect = { name: 'first', p99: 0.5, place: 'the CPUs' }
  const second: Effect = { name: 'second', p99: 0.4, place: 'the CPUs' }
  const { kept, trials } = await simulate(41).run([first, second])
  t.deepEqual(kept, [first])
  t.deepEqual(
    trials.map(({ decision, pairs }) => [decision, pairs.length > 0]),
    [
      ['kept', true],
      ['undecided', false],
    ],
  )
})

test('where the noise hides what a setting does, it says how many pairs it would take', async t => {
  const { trials, kept } = await simulate(21, { noise: 1.2 }).run([{ name: 'small', p99: 0.9 }], 1)
  t.deepEqual(kept, [])
  const [trial] = trials
  t.true(trial?.decision === 'undecided' || trial?.decision === 'undone', trial?.reason)
})

const pairOf = (ratio: number): Pair => {
  const off: Slice = {
    requests: 1000,
    seconds: 1,
    p50: 1,
    p99: 1,
    p999: 1,
    mean: 1,
    busy: 0.5,
    retransmits: 0,
    watts: null,
    celsius: null,
  }
  return { on: { ...off, p99: ratio }, off }
}

test('nothing is kept without enough pairs, however large the gain', t => {
  const random = createRandom(1)
  const options = { goal: 'p99' as const, alpha: 0.001, allow: ALLOWANCES, random }
  const few = [0.5, 0.52, 0.49, 0.51].map(pairOf)
  t.is(judge(few, options).verdict, 'open')
  const many = Array.from({ length: 12 }, (_, index) => pairOf(0.5 + index / 1000))
  t.is(judge(many, options).verdict, 'keep')
})

test('segments that are sent again count against a setting', t => {
  const pairs = Array.from({ length: 12 }, (_, index) => {
    const pair = pairOf(0.5 + index / 1000)
    return { ...pair, on: { ...pair.on, retransmits: 10 } }
  })
  const { verdict, reason } = judge(pairs, {
    goal: 'p99',
    alpha: 0.001,
    allow: ALLOWANCES,
    random: createRandom(1),
  })
  t.is(verdict, 'drop')
  t.is(reason, 'TCP sent 120 segments again, and 0 without it')
})

test('the looks of a run spend no more than its error', t => {
  for (const candidates of [1, 3, 10]) {
    const { at, alpha } = planLooks(candidates)
    t.true(alpha * at.length * candidates <= 0.01 + 1e-12)
    t.true(2 ** -(at[0] ?? 0) <= alpha, 'the first look can prove something')
    t.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    )
    t.true(
      at.every(pairs => pairs % 2 === 0),
      'blocks are whole',
    )
  }
})

test('the pairs needed grow with the noise', t => {
  const pairs = (noise: number): Pair[] => [0.8, 0.8 * (1 + noise), 0.8 / (1 + noise), 0.8].map(pairOf)
  const [little, much] = [pairsNeeded(pairs(0.05), 'p99', 0.001), pairsNeeded(pairs(0.5), 'p99', 0.001)]
  t.true(little !== null && much !== null && much > little)
  t.is(pairsNeeded([1, 1.1, 0.99].map(pairOf), 'p99', 0.001), null)
})
