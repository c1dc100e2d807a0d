import test from 'ava'
import fc from 'fast-check'
import { bootstrapMean } from '../../src/statistics/bootstrap.js'
import { createRandom, type Random } from '../../src/statistics/random.js'
import { signedRankTest } from '../../src/statistics/signed-rank.js'
import { deviation, mean, median, quantile } from '../../src/statistics/summary.js'

const drawNormal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** One in ten comes from a wider distribution: what a machine does to a slice now and then. */
const drawDisturbed = (random: Random): number => drawNormal(random) * (random() < 0.1 ? 8 : 1)

const draw = (count: number, one: () => number): number[] => Array.from({ length: count }, one)

test('summaries', t => {
  t.is(mean([1, 2, 6]), 3)
  t.is(median([5, 1, 3]), 3)
  t.is(median([4, 1, 3, 2]), 2.5)
  t.is(deviation([2, 4, 4, 4, 5, 5, 7, 9]), Math.sqrt(32 / 7))
  // R: quantile(c(1, 2, 4, 8), 0.9)
  t.is(Number(quantile([1, 2, 4, 8], 0.9).toFixed(9)), 6.8)
  t.is(median([]), Number.NaN)
})

/** Counts all ways to toss the coins. */
const enumerate = (values: readonly number[], center: number): number => {
  const distances = values.map(value => value - center).filter(distance => distance !== 0)
  const rank = (size: number): number => {
    const sizes = distances.map(Math.abs)
    return sizes.filter(other => other < size).length + (sizes.filter(other => other === size).length + 1) / 2
  }
  const ranks = distances.map(distance => rank(Math.abs(distance)))
  const sumOf = (isAbove: (index: number) => boolean): number =>
    ranks.reduce((sum, each, index) => sum + (isAbove(index) ? each : 0), 0)
  const seen = sumOf(index => (distances[index] ?? 0) > 0)
  const ways = 2 ** ranks.length
  let asFar = 0
  for (let way = 0; way < ways; way++) if (sumOf(index => ((way >> index) & 1) === 1) <= seen) asFar++
  return asFar / ways
}

test('the signed-rank test is what counting all ways gives, with ties and with values at the center', t => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -6, max: 6 }), { maxLength: 11 }),
      fc.integer({ min: -2, max: 2 }),
      (values, center) => {
        t.true(Math.abs(signedRankTest(values, center) - enumerate(values, center)) < 1e-12)
      },
    ),
  )
})

test('the signed-rank test agrees with the published table', t => {
  // Hollander, Wolfe and Chicken, table A.4: P(T+ <= 8) for n = 10, and P(T+ <= 0) for n = 5.
  const ten = [-1, 2, -3, -4, -5, 6, -7, -8, -9, -10]
  t.is(Number(signedRankTest(ten, 0).toFixed(3)), 0.024)
  t.is(signedRankTest([-1, -2, -3, -4, -5], 0), 1 / 32)
  t.is(signedRankTest([], 0), 1)
})

for (const [name, one] of [
  ['normal', drawNormal],
  ['disturbed now and then', drawDisturbed],
] as const) {
  test(`what does nothing passes the signed-rank test no more often than it may: ${name}`, t => {
    const random = createRandom(7)
    const runs = 4000
    const alpha = 0.01
    const passed = draw(runs, () =>
      signedRankTest(
        draw(20, () => one(random)),
        0,
      ),
    ).filter(p => p <= alpha).length
    // Four standard deviations of a count of that mean.
    t.true(passed <= runs * alpha + 4 * Math.sqrt(runs * alpha), `${passed} of ${runs}`)
    t.true(passed > 0)
  })
}

test('the interval of a mean holds it as often as it says', t => {
  for (const [one, center] of [
    [drawNormal, 0],
    // Skewed: squares of normal values.
    [(random: Random) => drawNormal(random) ** 2, 1],
  ] as const) {
    const random = createRandom(11)
    const runs = 600
    const held = draw(runs, () => {
      const { low, high } = bootstrapMean(
        draw(20, () => one(random)),
        0.95,
        random,
        400,
      )
      return low <= center && center <= high ? 1 : 0
    }).reduce((sum, each) => sum + each, 0)
    t.true(held / runs > 0.91 && held / runs < 0.985, `${held} of ${runs}`)
  }
})

test('of too little, and of values that are all the same, the interval says so', t => {
  const random = createRandom(1)
  t.deepEqual(bootstrapMean([3], 0.95, random), {
    estimate: 3,
    low: Number.NEGATIVE_INFINITY,
    high: Number.POSITIVE_INFINITY,
  })
  t.deepEqual(bootstrapMean([3, 3, 3], 0.95, random), { estimate: 3, low: 3, high: 3 })
})

test('values that differ by rounding alone are all the same', t => {
  const values = Array.from({ length: 31 }, (_, index) => Math.log(0.7) * (1 + (index % 3) * 1e-16))
  const { estimate, low, high } = bootstrapMean(values, 0.95, createRandom(1))
  t.is(low, estimate)
  t.is(high, estimate)
})

test('the same seed gives the same numbers, evenly spread', t => {
  t.deepEqual(draw(5, createRandom(3)), draw(5, createRandom(3)))
  t.notDeepEqual(draw(5, createRandom(3)), draw(5, createRandom(4)))
  const values = draw(10_000, createRandom(5))
  t.true(values.every(value => value >= 0 && value < 1))
  t.true(Math.abs(mean(values) - 0.5) < 0.015)
})
