import test from 'ava'
import { judge } from '../../bench/limits.js'

test('a limit is met on its side, the bound included', t => {
  t.is(judge({ what: 'throughput', found: 0.9, atLeast: 0.9 }).text, 'throughput, at least 0.9: met')
  t.is(judge({ what: 'throughput', found: 0.89, atLeast: 0.9 }).text, 'throughput, at least 0.9: NOT MET')
  t.is(judge({ what: 'memory', found: 100, atMost: 100 }).text, 'memory, at most 100: met')
  t.is(judge({ what: 'memory', found: 101, atMost: 100 }).text, 'memory, at most 100: NOT MET')
})

test('a limit inside the interval is told as open', t => {
  const limit = { what: 'throughput', found: 0.91, low: 0.88, high: 0.94, atLeast: 0.9 }
  t.like(judge(limit), { isMet: true, isSure: false })
  t.is(judge(limit).text, 'throughput, at least 0.9: met, but the interval reaches across')
  t.like(judge({ ...limit, found: 0.89 }), { isMet: false, isSure: false })
  t.like(judge({ ...limit, low: 0.9 }), { isMet: true, isSure: true })
})

test('what was not measured meets no limit', t => {
  t.false(judge({ what: 'memory', found: Number.NaN, atMost: 100 }).isMet)
  t.false(judge({ what: 'throughput', found: Number.NaN, atLeast: 0.9 }).isMet)
})
