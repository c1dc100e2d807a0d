import { cpus } from 'node:os'
import test from 'ava'
import { CostMeter } from '../../src/probes/cost-meter.js'

/** So long that what this process takes meanwhile is nothing beside it. */
const HOUR_NS = 3600e9

test('without a sample nothing is known', t => {
  const meter = new CostMeter()
  t.is(meter.spend(1000), null)
  t.is(meter.share, null)
  t.is(meter.bpfNsPerRequest, null)
})

test('what other probes took is spent once, and is no part of what a request takes', t => {
  const meter = new CostMeter()
  meter.sample({ bpfNs: 2000, requests: 2, ns: 1e6 })
  const spend = () => meter.spend(0)?.machine ?? Number.NaN
  const plain = spend()
  meter.add(HOUR_NS)
  const added = spend()
  const later = spend()
  t.true(added > 1000 * Math.max(plain, later, 1 / cpus().length), `${plain}, ${added}, ${later}`)
  t.true((meter.share ?? 0) > 1)
  t.is(meter.bpfNsPerRequest, 1000)
})

test('what the probes took for so many requests is told apart from what else was spent', t => {
  const meter = new CostMeter()
  meter.sample({ bpfNs: HOUR_NS, requests: 100, ns: 1e9 })
  const all = meter.spend(100)
  meter.add(HOUR_NS)
  const none = meter.spend(100)
  t.true((all?.probes ?? 0) > 1 && (all?.machine ?? 0) >= (all?.probes ?? 0))
  t.is(none?.probes, 0)
  t.true((none?.machine ?? 0) > 1)
})
