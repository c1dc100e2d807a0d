import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Tracer } from '../src/probes/tracer.js'
import { listServices } from '../src/system/services.js'
import { resolveTarget } from '../src/system/target.js'
import { findMeters } from '../src/tune/meters.js'
import { openRetransmits } from '../src/tune/retransmits.js'
import type { Slice } from '../src/tune/slice.js'
import { measureSlice } from '../src/tune/traffic.js'
import { runLoad, startMemcached } from './processes.js'

/**
 * Records this machine's noise as tuning meets it: slices of a memcached under a steady load, one after the other, with
 * nothing changed. test/tune replays them: settings that do nothing must not be kept.
 */
const SLICE_MS = 300
const RATE = 8000

const { values } = parseArgs({
  options: {
    slices: { type: 'string', default: '2400' },
    out: { type: 'string', default: 'test/tune/noise.csv' },
  },
})
const count = Number(values.slices)
const memcached = await startMemcached()
try {
  // It ends when memcached does.
  const seconds = String(count)
  const load = runLoad(
    memcached.port,
    ...['--connections', '16', '--rate', String(RATE), '--seconds', seconds, '--timeout', seconds],
  ).catch(() => {})
  const [target] = resolveTarget({ port: memcached.port }, await listServices())
  if (target === undefined) throw new Error('memcached is not there')
  using tracer = Tracer.start(target, { kind: 'tp_btf' })
  tracer.setDepth(0)
  const { signal } = new AbortController()
  const meters = findMeters()
  using retransmits = openRetransmits(process.pid)
  const measure = (): Promise<Slice> => measureSlice(tracer, meters, retransmits, SLICE_MS, signal)
  // What has just started compiles itself.
  for (let warm = 0; warm < 10; warm++) await measure()
  const rows = ['requests,p50,p99,p999,mean,busy']
  for (let slice = 0; slice < count; slice++) {
    const { requests, p50, p99, p999, mean, busy } = await measure()
    if (requests === 0) throw new Error('the load ended too early')
    rows.push([requests, p50, p99, p999, Math.round(mean), busy.toFixed(3)].join())
  }
  writeFileSync(values.out, `${rows.join('\n')}\n`)
  memcached.stop()
  await load
} finally {
  memcached.stop()
}
