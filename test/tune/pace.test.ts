import test from 'ava'
import { REQUESTS_TO_ADVISE } from '../../src/advise/all.js'
import { planLooks } from '../../src/tune/looks.js'
import { chooseSlice, describeNeeded, lookFor } from '../../src/tune/pace.js'

test('a slice has twenty requests beyond the percentile, from a quarter of a second to two seconds', t => {
  const plenty = { seconds: 3600, candidates: 1 }
  t.is(chooseSlice(2000, { goal: 'p99', ...plenty }), 1000)
  t.is(chooseSlice(100_000, { goal: 'p99', ...plenty }), 250)
  t.is(chooseSlice(200, { goal: 'p99', ...plenty }), 2000)
  t.is(chooseSlice(20_000, { goal: 'p99.9', ...plenty }), 1000)
})

test('where there is little time it has fewer, and never less than three', t => {
  const all = chooseSlice(2000, { goal: 'p99', seconds: 180, candidates: 8 }) ?? 0
  t.true(all < 1000 && all >= 250, `${all}`)
  t.is(chooseSlice(300, { goal: 'p99', seconds: 20, candidates: 8 }), 1000)
})

test('where a slice has fewer than three, it says what it would take', t => {
  const options = { seconds: 180, candidates: 2 }
  t.is(chooseSlice(149, { goal: 'p99', ...options }), null)
  t.not(chooseSlice(150, { goal: 'p99', ...options }), null)
  t.is(chooseSlice(1499, { goal: 'p99.9', ...options }), null)
  const pairs = planLooks(2).at[0]
  t.is(
    describeNeeded('p99', 2),
    `it takes 150 a second, and of them ${pairs} pairs of slices or more for each of 2 candidates, 93 s`,
  )
  t.regex(
    describeNeeded('p99.9', 1),
    /^it takes 1500 a second, and of them 10 pairs of slices or more, 42 s$/,
  )
  t.regex(
    describeNeeded('p99', 1, 500),
    /^it takes 500 a second, and of them 10 pairs of slices or more, 14 s$/,
  )
})

test('looking takes a fifth of the time, and seven seconds at most: enough to advise by wherever slices can be told apart', t => {
  t.is(lookFor(10), 2)
  t.is(lookFor(180), 7)
  t.is(chooseSlice(REQUESTS_TO_ADVISE / 7, { goal: 'p99', seconds: 180, candidates: 1 }), null)
})
