import test from 'ava'
import { createRandom } from '../../src/statistics/random.js'
import { approximateBeyond, countBeyond, rankSumShift, runsNeeded } from '../../src/statistics/rank-sum.js'

/** P(U <= u) by counting all ways to choose which of the ranks are of the first sample. */
const enumerate = (n: number, m: number, u: number): number => {
  let [all, some] = [0, 0]
  for (let choice = 0; choice < 2 ** (n + m); choice++) {
    const isFirst = Array.from({ length: n + m }, (_, rank) => ((choice >> rank) & 1) === 1)
    if (isFirst.filter(Boolean).length !== n) continue
    all++
    const above = isFirst.reduce(
      (sum, first, rank) => (first ? sum + isFirst.slice(0, rank).filter(other => !other).length : sum),
      0,
    )
    if (above <= u) some++
  }
  return some / all
}

test('the interval leaves out as many differences as counting all orders allows', t => {
  for (const [n, m] of [
    [4, 4],
    [3, 7],
    [5, 6],
  ] as const) {
    const a = Array.from({ length: n }, (_, index) => index)
    const b = Array.from({ length: m }, (_, index) => 100 + index * 1.01)
    const differences = b.flatMap(to => a.map(from => to - from)).sort((x, y) => x - y)
    const { low, high } = rankSumShift(a, b, 0.95)
    const beyond = differences.indexOf(low) + 1
    t.true(enumerate(n, m, beyond - 1) <= 0.025, `${n}, ${m}`)
    t.true(enumerate(n, m, beyond) > 0.025, `${n}, ${m}`)
    t.is(high, differences.at(-beyond) ?? Number.NaN)
  }
})

test('it takes four runs of each to prove anything at 95 %', t => {
  t.is(runsNeeded(0.95), 4)
  t.is(runsNeeded(0.99), 5)
  t.is(rankSumShift([1, 2, 3], [7, 8, 9], 0.95).low, Number.NEGATIVE_INFINITY)
  t.true(rankSumShift([1, 2, 3, 4], [7, 8, 9, 10], 0.95).low > 0)
})

test('the interval holds the shift as often as it says, for runs of which some are far off', t => {
  const random = createRandom(5)
  const draw = (shift: number): number[] =>
    Array.from({ length: 8 }, () => shift + random() ** 4 * 10 + (random() < 0.1 ? 50 : 0))
  const runs = 1000
  let held = 0
  for (let run = 0; run < runs; run++) {
    const { low, high } = rankSumShift(draw(0), draw(3), 0.95)
    if (low <= 3 && 3 <= high) held++
  }
  t.true(held / runs >= 0.94, `${held}`)
  t.true(held < runs)
})

test('the approximation leaves out as many differences as the exact distribution, or a few less', t => {
  const spread = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
  for (const [n, m] of [
    [51, 50],
    [30, 90],
    [70, 70],
    [8, 400],
  ] as const)
    for (const error of [0.025, 0.005]) {
      const exact = countBeyond(n, m, error)
      const approximate = approximateBeyond(spread(n), spread(m), error)
      // U has lighter tails than the normal distribution: the approximation errs to the wider side.
      t.true(approximate <= exact + 1, `${n}, ${m}: ${approximate} for ${exact}`)
      t.true(approximate >= exact * 0.95, `${n}, ${m}: ${approximate} for ${exact}`)
    }
})

test('ties within a sample make the interval narrower, as they make the variance less', t => {
  const spread = Array.from({ length: 100 }, (_, index) => index)
  const tied = spread.map(value => Math.floor(value / 20))
  t.true(approximateBeyond(tied, tied, 0.025) > approximateBeyond(spread, spread, 0.025))
  // By hand: 5 values, each 20 times, on both sides.
  const variance = (10_000 / 12) * (201 - (10 * (20 ** 3 - 20)) / (200 * 199))
  t.is(approximateBeyond(tied, tied, 0.025), Math.floor(5000 - 1.959964 * Math.sqrt(variance) + 0.5))
})

test('many runs of each take no time, and the interval holds the shift as often as it says', t => {
  const random = createRandom(6)
  const draw = (count: number, shift: number): number[] =>
    Array.from({ length: count }, () => shift + Math.round(random() ** 4 * 40) + random() / 1e6)
  const runs = 300
  let held = 0
  for (let run = 0; run < runs; run++) {
    const { low, high } = rankSumShift(draw(60, 0), draw(60, 3), 0.95)
    if (low <= 3 && 3 <= high) held++
  }
  t.true(held / runs >= 0.92 && held < runs, `${held}`)
  const { estimate, low, high } = rankSumShift(draw(500, 0), draw(500, 3), 0.95)
  t.true(low < estimate && estimate < high && high - low < 3)
})
