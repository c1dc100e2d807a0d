import test from 'ava'
import type { SoFar } from '../../src/tune/slice.js'
import { Usual } from '../../src/tune/usual.js'
import { SLICE } from './example-slice.js'

/** Slices of a second with a thousand requests, of which the p99 differs by that from one to the next. */
const slicesOf = (p99s: readonly number[]) => p99s.map(p99 => ({ ...SLICE, p99 }))
const STEADY = slicesOf([100, 102, 98, 101, 99, 100, 103, 97])

const soFar = (requests: number, seconds: number, slower: (ns: number) => number): SoFar => ({
  ...SLICE,
  requests,
  seconds,
  countSlower: slower,
})
/** So many requests took longer than anything. */
const slow = (requests: number, seconds: number, count: number): SoFar =>
  soFar(requests, seconds, () => count)

const usual = () => new Usual(STEADY, 1e-4)

test('the 99th percentile of a part of a slice is believed by as many slow requests as spoil the whole slice', t => {
  // A hundred requests of a thousand: more than one of them would be beyond its 99th percentile by chance.
  t.is(usual().findCollapse(slow(100, 0.1, 8)), null)
  // And that of the whole slice is spoilt by more than ten, and by more than chance.
  t.is(usual().findCollapse(slow(100, 0.1, 20)), null)
  t.is(usual().findCollapse(slow(100, 0.1, 40)), 'the p99 became more than 3.0 times as long')
})

test('slow is what takes three times the usual p99, and longer than noise makes it', t => {
  const limitOf = (p99s: readonly number[]): number => {
    let limit = 0
    new Usual(slicesOf(p99s), 1e-4).findCollapse(
      soFar(1000, 1, ns => {
        limit = ns
        return 0
      }),
    )
    return limit
  }
  t.is(Math.round(limitOf([100, 102, 98, 101, 99, 100, 103, 97])), 300)
  t.true(limitOf([100, 300, 50, 200, 80, 100, 400, 90]) > 3000)
  // What was long ago is forgotten.
  const lately = Array.from({ length: 16 }, (_, index) => 100 + (index % 3))
  t.is(Math.round(limitOf([10_000, 20_000, ...lately]) / 10), 30)
})

test('the throughput has fallen when the slice is lost whatever the rest brings', t => {
  const none = (requests: number, seconds: number) => usual().findCollapse(soFar(requests, seconds, () => 0))
  t.is(none(0, 0.2), null, 'four fifths may still come')
  t.is(none(0, 0.35), 'the throughput fell by 100 %')
  t.is(none(850, 1), null)
  t.is(none(780, 1), null, 'by chance')
  t.regex(none(650, 1) ?? '', /^the throughput fell by 35 %$/)
})

test('one slice that the machine held up makes nobody wait for the end of one as long', t => {
  const heldUp = new Usual([...STEADY, { ...SLICE, p99: 100, requests: 5000, seconds: 5 }], 1e-4)
  t.is(heldUp.findCollapse(soFar(0, 1, () => 0)), 'the throughput fell by 100 %')
})

test('where slices differ much by themselves, fewer requests are no collapse; nor where nothing is known', t => {
  const unsteady = [1000, 300, 900, 200, 1000, 400].map(requests => ({ ...SLICE, requests }))
  t.is(new Usual(unsteady, 1e-4).findCollapse(soFar(100, 1, () => 0)), null)
  t.is(new Usual([], 1e-4).findCollapse(soFar(0, 1, () => 0)), null)
  t.is(new Usual(STEADY.slice(0, 1), 1e-4).findCollapse(slow(1000, 1, 1000)), null)
})
