import test from 'ava'
import { studentQuantile, unlikelyCount, unlikelyFew } from '../../src/statistics/chance.js'

test("Student's quantiles are those of the tables, for odd and even degrees of freedom", t => {
  // R: qt(1 - p, df)
  const known: [probability: number, degrees: number, t: number][] = [
    [0.025, 1, 12.7062],
    [0.025, 2, 4.30265],
    [0.025, 3, 3.18245],
    [0.025, 10, 2.22814],
    [0.0005, 4, 8.6103],
    [0.0005, 15, 4.0728],
    [0.0005, 30, 3.646],
  ]
  for (const [probability, degrees, value] of known) {
    const found = studentQuantile(probability, degrees)
    t.true(Math.abs(found / value - 1) < 1e-4, `${probability} with ${degrees}: ${found}`)
  }
})

/** P(X >= count) of the binomial distribution, term by term. */
const beyond = (of: number, share: number, count: number): number => {
  let term = (1 - share) ** of
  let below = 0
  for (let k = 0; k < count; k++) {
    below += term
    term *= ((of - k) / (k + 1)) * (share / (1 - share))
  }
  return 1 - below
}

test('a count that is unlikely is so by the binomial distribution, and not much more than it has to be', t => {
  for (const of of [100, 1000, 5000]) {
    const count = unlikelyCount(of, 0.01, 1e-4)
    t.true(beyond(of, 0.01, count) <= 1e-4, `${of}`)
    t.true(beyond(of, 0.01, Math.floor(count * 0.8)) > 1e-4, `${of}`)
  }
  t.is(unlikelyCount(2, 0.01, 1e-9), 3, 'even both are too likely')
})

test('fewer events than that are unlikely, and none is no surprise where few are expected', t => {
  const few = unlikelyFew(400, 1e-4)
  t.true(few > 300 && few < 400 - 3 * 20)
  t.true(unlikelyFew(10, 1e-4) < 0)
})
