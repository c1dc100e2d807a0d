import test from 'ava'
import { createRandom } from '../../src/statistics/random.js'
import { ALLOWANCES, isSurelyMet, judge, pairsNeeded } from '../../src/tune/judge.js'
import { looksLeft, planLooks } from '../../src/tune/looks.js'
import type { Aim, Pair, Slice } from '../../src/tune/slice.js'
import { halved, SLICE } from './example-slice.js'

const pairOf = (ratio: number, change: Partial<Slice> = {}): Pair => ({
  on: { ...SLICE, p99: ratio, ...change },
  off: SLICE,
})

const AIM: Aim = { goal: 'p99', withAck: false }

/** Half of the pairs with more CPU time, half of them with less: nobody knows. */
const unsureOf = (pairs: readonly Pair[]): Pair[] =>
  pairs.map(({ on, off }, index) => ({ on: { ...on, busy: index % 2 === 0 ? 0.7 : 0.4 }, off }))

const options = () => ({
  aim: AIM,
  alpha: 0.001,
  allow: ALLOWANCES,
  random: createRandom(1),
})

test('nothing is kept without enough pairs, however large the gain', t => {
  t.is(
    judge(
      [0.5, 0.52, 0.49, 0.51].map(ratio => pairOf(ratio)),
      options(),
    ).verdict,
    'open',
  )
  t.is(judge(halved(), options()).verdict, 'keep')
})

test('segments that are sent again, and a sensor that comes near its limit, count against a setting', t => {
  const again = judge(halved({ retransmits: 10 }), options())
  t.is(again.verdict, 'drop')
  t.is(again.reason, 'TCP sent 120 segments again, and 0 without it')
  const hot = halved({ headroom: 1.5 }).map(pair => ({ ...pair, off: { ...pair.off, headroom: 20 } }))
  const { verdict, reason } = judge(hot, options())
  t.is(verdict, 'drop')
  t.is(reason, 'a sensor came within 1.5 °C of its limit, from 20.0 °C')
  const meanwhile = hot.map((pair, index) =>
    index === 5 ? pair : { ...pair, on: { ...pair.on, headroom: 20 } },
  )
  t.is(judge(meanwhile, options()).verdict, 'drop', 'in one slice')
  const always = hot.map(pair => ({ ...pair, off: { ...pair.off, headroom: 1.5 } }))
  t.is(judge(always, options()).verdict, 'keep', 'it was as hot before')
})

test('mishaps count against a setting when they are many more, or more in most pairs', t => {
  const judged = (on: Partial<Slice>, off: Partial<Slice>): string =>
    judge(halved(on, off), options()).verdict
  t.is(judged({ retransmits: 10 }, { retransmits: 9 }), 'drop', '120 beside 108: more in each')
  t.is(judged({ unanswered: 1 }, {}), 'drop', '12 beside none')
  const burst = (requests: number): Pair[] =>
    halved({ retransmits: 5 }, { retransmits: 5 }).map((pair, index) =>
      index === 0 ? { ...pair, on: { ...pair.on, retransmits: requests } } : pair,
    )
  t.is(judge(burst(75), options()).verdict, 'keep', '130 beside 60, in one slice')
  t.is(judge(burst(76), options()).verdict, 'drop', '131')
})

test('a guard has to be proven as well: one that may be broken keeps the trial open', t => {
  const { verdict, reason } = judge(unsureOf(halved()), options())
  t.is(verdict, 'open')
  t.regex(
    reason,
    /^a gain of more than 3 % is proven, but not that the CPU time gets worse by 10 % at most \(if a gain is worth that: --allow cpu=\+\d0%\)$/,
  )
})

test('what only the cost of a gain is in the way of says what to allow; what is slower or may not be is no matter of cost', t => {
  const reasonOf = (pairs: readonly Pair[]): string => judge(pairs, options()).reason
  t.is(
    reasonOf(halved({ busy: 0.62, awake: 0.43 }, { awake: 0.3 })),
    'the CPUs were busy for 24 % longer (if a gain is worth that: --allow cpu=+30% --allow energy=+50%)',
  )
  t.is(reasonOf(halved({ busy: 0.62, mean: SLICE.mean * 1.42 })), 'the mean rose by 42 %')
  t.is(
    reasonOf([0.7, 1.3, 0.9, 1.2, 1.1].map(p99 => pairOf(p99, { busy: 0.62 }))),
    'the CPUs were busy for 24 % longer',
  )
  t.notRegex(reasonOf(halved({ busy: Number.NaN })), /allow|NaN|Infinity/, 'nobody knows how much')
  t.is(reasonOf(halved({ busy: 0.51, retransmits: 10 })), 'TCP sent 120 segments again, and 0 without it')
})

test('what is surely broken is not hidden by what may be', t => {
  const { verdict, reason } = judge(unsureOf(halved({ retransmits: 10 })), options())
  t.is(verdict, 'drop')
  t.is(reason, 'TCP sent 120 segments again, and 0 without it')
})

test('energy is watts only where every slice has them', t => {
  const cheaper = halved({ watts: 5 }).map(pair => ({ ...pair, off: { ...pair.off, watts: 10 } }))
  const energy = { ...options(), aim: { goal: 'energy' as const, withAck: false } }
  const allowed = { ...energy, allow: { ...ALLOWANCES, p99: 1 } }
  t.is(Math.round(judge(cheaper, allowed).goal.estimate * 100), 50)
  const [first, ...others] = cheaper
  if (first === undefined) throw new Error('twelve')
  const mixed = [{ ...first, off: { ...first.off, watts: null } }, ...others]
  t.is(judge(mixed, allowed).goal.estimate, 1, 'the CPU time, which is the same')
})

test('where there are no watts, energy is how awake the CPUs were, as the goal and as a guard', t => {
  const restless = halved({ awake: 0.6 }, { awake: 0.3 })
  t.regex(judge(restless, options()).reason, /^the energy rose by 100 %/)
  const quiet = halved({ awake: 0.3, p99: 1 }, { awake: 0.6 })
  const energy = { ...options(), aim: { goal: 'energy' as const, withAck: false } }
  t.is(judge(quiet, energy).verdict, 'keep')
  t.is(judge(quiet, energy).goal.estimate.toFixed(2), '0.50')
  t.is(judge(halved(), options()).guards.energy, undefined)
})

test('a target is surely met when the whole interval is below it', t => {
  const slices = [90, 80, 99, 70, 97, 85, 92, 88].map(p99 => ({ ...SLICE, p99 }))
  const isMet = (ns: number): boolean => isSurelyMet(slices, { quantity: 'p99', ns }, createRandom(1))
  // The mean is 87.
  t.true(isMet(100))
  t.false(isMet(88))
})

test('the looks of a run spend no more than its error, tries anew included', t => {
  for (const candidates of [1, 3, 10]) {
    const looks = planLooks(candidates)
    const { at, alpha } = looks
    t.true(alpha * at.length * candidates <= 0.01 + 1e-12)
    t.true(2 ** -(at[0] ?? 0) <= alpha, 'the first look can prove something')
    t.deepEqual(
      at,
      at.toSorted((a, b) => a - b),
    )
    t.is(looksLeft(looks, 3).at.length, at.length - 3)
  }
})

test('a gain that is seen and not yet proven is not called noise, and a guard that is not is named', t => {
  const atEnd = { ...options(), alpha: 0 }
  const { verdict, reason } = judge(halved(), atEnd)
  t.is(verdict, 'open')
  t.is(reason, 'a gain of more than 3 % is seen, but not by enough pairs to prove it')
  t.regex(
    judge(unsureOf(halved()), atEnd).reason,
    /^a gain of more than 3 % is seen, but not that the CPU time gets worse by 10 % at most/,
  )
})

const needed = (pairs: readonly Pair[]) => pairsNeeded(pairs, { aim: AIM, alpha: 0.001, allow: ALLOWANCES })

test('the pairs needed grow with the noise; where nothing is gained they are those for a tenth', t => {
  const pairs = (noise: number): Pair[] =>
    [0.8, 0.8 * (1 + noise), 0.8 / (1 + noise), 0.8].map(ratio => pairOf(ratio))
  const [little, much] = [needed(pairs(0.05)), needed(pairs(0.5))]
  t.true(little !== null && much !== null && much.pairs > little.pairs)
  t.is(Math.round((little?.gain ?? 0) * 100), 20)
  t.is(needed([1, 1.1, 0.99].map(ratio => pairOf(ratio)))?.gain, 0.1)
})

test('the pairs needed are those for the guards as well, and none where a guard fails by what was seen', t => {
  const [alone, guarded] = [needed(halved()), needed(unsureOf(halved()))]
  t.true(alone !== null && guarded !== null && guarded.pairs > Math.max(alone.pairs, 12))
  t.is(needed(halved({ busy: 0.6 })), null)
})
