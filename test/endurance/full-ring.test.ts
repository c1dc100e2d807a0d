import { EXEMPLAR_SIZE } from '../../src/probes/generated/taut.js'
import { rootPath } from '../kernel/support/fixtures.js'
import { type Context, kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { startProcess, waitForOutput } from '../kernel/support/processes.js'
import { startMemcached } from '../kernel/support/services.js'
import type { Reading } from './programs/small-ring.js'

/** Before each record in the ring buffer; records begin at multiples of as much. */
const HEADER_BYTES = 8
const RECORD_BYTES = HEADER_BYTES + Math.ceil(EXEMPLAR_SIZE / HEADER_BYTES) * HEADER_BYTES
const REQUESTS = 100_000
const ROUNDS = 3

kernelTest(
  'exemplars that a full ring buffer has no room for are counted, each, and their requests all the same',
  async t => {
    const { port } = await startMemcached(t)
    const { ringBytes, read } = await startTracer(t, port)
    // The kernel does not fill it to the last byte: then it would look empty.
    const fit = Math.floor((ringBytes - 1) / RECORD_BYTES)
    for (let round = 1; round <= ROUNDS; round++) {
      await runLoad(t, { port, connections: 8, requests: REQUESTS })
      t.deepEqual(await read(), {
        requests: round * REQUESTS,
        begun: round * REQUESTS,
        lost: { ringbuf_full: round * (REQUESTS - fit), map_full: 0, unmatched: 0, clock: 0, recursion: 0 },
        exemplars: fit,
        whole: fit,
      })
    }
    t.log(`${fit} exemplars fit ${ringBytes} bytes`)
  },
  'memcached',
)

/** Starts the tracer with the small ring buffer; `read` empties that, too. */
const startTracer = async (
  t: Context,
  port: number,
): Promise<{ ringBytes: number; read: () => Promise<Reading> }> => {
  const program = rootPath('dist/test/endurance/programs/small-ring.js')
  const tracer = await startProcess(t, process.execPath, [program, port])
  const [, ringBytes] = await waitForOutput(tracer, /^(\d+)\n/)
  let readings = 0
  const read = async (): Promise<Reading> => {
    tracer.child.stdin?.write('\n')
    const [, line = ''] = await waitForOutput(tracer, new RegExp(`^(?:.*\n){${++readings}}(.*)\n`))
    return JSON.parse(line)
  }
  return { ringBytes: Number(ringBytes), read }
}
