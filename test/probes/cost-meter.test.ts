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
  const plain = meter.spend(0) ?? Number.NaN
  meter.add(HOUR_NS)
  const added = meter.spend(0) ?? Number.NaN
  const later = meter.spend(0) ?? Number.NaN
  t.true(added > 1000 * Math.max(plain, later, 1 / cpus().length), `${plain}, ${added}, ${later}`)
  t.true((meter.share ?? 0) > 1)
  t.is(meter.bpfNsPerRequest, 1000)
})
