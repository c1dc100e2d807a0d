import test from 'ava'
import { createRandom } from '../../src/statistics/random.js'
import { type Confirmation, confirm } from '../../src/tune/confirm.js'
import type { Pair } from '../../src/tune/slice.js'
import { Usual } from '../../src/tune/usual.js'
import { SLICE } from './example-slice.js'

/** Compares slices of which those with it take so many times as long, and all differ by noise; for so many pairs at most. */
const compare = (
  ratio: number,
  {
    seed = 5,
    noise = 0.25,
    most = 100,
    isOpen = () => false,
  }: { seed?: number; noise?: number; most?: number; isOpen?: (pairs: readonly Pair[]) => boolean } = {},
): Promise<Confirmation> => {
  const random = createRandom(seed)
  let isOn = false
  let slices = 0
  return confirm(
    {
      set: async on => {
        isOn = on
      },
      measure: async () => {
        slices++
        return { ...SLICE, p99: (isOn ? ratio : 1) * Math.exp(noise * (2 * random() - 1)) }
      },
    },
    {
      aim: { goal: 'p99', withAck: false },
      random: createRandom(6),
      usual: new Usual([], 1e-4),
      isOpen,
      hasTime: () => slices < 2 * most,
    },
  )
}

test('what is plain is confirmed by twelve pairs, and what is plainly worse refused by them', async t => {
  for (const [ratio, isBetter] of [
    [0.5, true],
    [2, false],
  ] as const) {
    const found = await compare(ratio)
    t.is(found.isBetter, isBetter)
    t.is(found.pairs.length, 12)
  }
})

test('what twelve pairs do not show gets more of them while there is time', async t => {
  let later = 0
  for (let seed = 1; seed <= 20; seed++) {
    const hasty = await compare(0.8, { seed, noise: 0.5, most: 12 })
    const patient = await compare(0.8, { seed, noise: 0.5 })
    t.is(hasty.pairs.length, 12)
    if (hasty.isBetter === false && patient.isBetter === true) later++
  }
  t.true(later >= 3, `${later}`)
})

test('what does nothing is refused once all pairs are spent; of too few nothing is said', async t => {
  const found = await compare(1)
  t.is(found.isBetter, false)
  t.is(found.pairs.length, 34)
  t.is((await compare(0.5, { most: 5 })).isBetter, null)
  t.is((await compare(0.5, { most: 6 })).isBetter, true)
})

test('while something else is open it goes on', async t => {
  const found = await compare(0.5, { isOpen: pairs => pairs.length < 20 })
  t.is(found.pairs.length, 24)
  t.true(found.isBetter)
})

test('what does nothing is taken for better once in twenty times at most, over all looks', async t => {
  let better = 0
  const runs = 400
  const random = createRandom(8)
  for (let run = 0; run < runs; run++) {
    const found = await confirm(
      {
        set: async () => undefined,
        measure: async () => ({ ...SLICE, p99: Math.exp(random()) }),
      },
      {
        aim: { goal: 'p99', withAck: false },
        random,
        usual: new Usual([], 1e-4),
        isOpen: () => false,
        hasTime: () => true,
      },
    )
    if (found.isBetter) better++
  }
  t.true(better > 0 && better <= runs * 0.05, `${better} of ${runs}`)
})

test('without traffic to tell by it ends', async t => {
  let slices = 0
  const found = await confirm(
    {
      set: async () => undefined,
      measure: async () => {
        slices++
        return { ...SLICE, requests: 10 }
      },
    },
    {
      aim: { goal: 'p99', withAck: false },
      random: createRandom(1),
      usual: new Usual([], 1e-4),
      isOpen: () => false,
      hasTime: () => slices < 1000,
    },
  )
  t.is(found.isBetter, null)
  t.is(slices, 16)
})
