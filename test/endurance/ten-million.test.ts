import { readFile } from 'node:fs/promises'
import { assertExact } from '../kernel/support/assertions.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { listHeldMaps } from '../kernel/support/maps.js'
import { readStat, startMemcached } from '../kernel/support/services.js'
import { startMeasuring } from '../kernel/support/taut.js'

const FIRST = 1_000_000
const REST = 9_000_000

/**
 * The garbage collector lets the resident memory go up and down by some 4 MB. Whatever kept as little as a byte of each
 * request would be past this bound at the end.
 */
const GROWTH_BYTES = 8 << 20

kernelTest(
  'counts each of ten million requests, and keeps nothing of them',
  async t => {
    const service = await startMemcached(t)
    const getsBefore = await readStat(service, 'cmd_get')
    const measurement = await startMeasuring(t, '--port', service.port)
    const load = { port: service.port, connections: 8, timeout: 1800 }

    await runLoad(t, { ...load, requests: FIRST })
    const early = await readResidentBytes(measurement.pid)
    const maps = await listHeldMaps(measurement.pid)
    await runLoad(t, { ...load, requests: REST })
    const late = await readResidentBytes(measurement.pid)
    t.deepEqual(await listHeldMaps(measurement.pid), maps)
    const document = await measurement.stop()

    assertExact(t, document, FIRST + REST)
    t.is((await readStat(service, 'cmd_get')) - getsBefore, FIRST + REST)
    t.log(`resident after ${FIRST} requests: ${early} bytes, after ${REST} more: ${late}`)
    t.true(late - early < GROWTH_BYTES, `from ${early} to ${late} bytes`)
  },
  'memcached',
)

/** Gives how much memory of a process is resident. */
const readResidentBytes = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024
}
