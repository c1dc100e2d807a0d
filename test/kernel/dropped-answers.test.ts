import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { startEcho } from './support/datagrams.js'
import { watchDepartures } from './support/departures.js'
import { rootPath } from './support/fixtures.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { createNetnsPair } from './support/netns.js'
import { startProcess, waitForOutput } from './support/processes.js'
import { startMeasuring } from './support/taut.js'
import { waitFor } from './support/wait.js'

const run = promisify(execFile)

const [REQUESTS, BYTES, HEADERS] = [300, 1000, 42]
/** Far less than the client asks for. */
const [PACKETS_A_SECOND, INTERVAL_MS] = [50, 4]
/** So many wait in the queue when it is taken away. */
const WAITING = 40

/** Calls `tc` in the namespace of the service. */
type Tc = (...args: string[]) => Promise<{ stdout: string }>

/**
 * Lets so many bytes of answers wait in the queue of an interface; asserts that those which `drop` or the queue itself drops leave
 * their datagrams unanswered, and that the others are each taken for the answer to its own. Gives how many came to the client.
 */
const assertUnshifted = async (
  t: Context,
  limit: string,
  drop: (tc: Tc) => Promise<unknown>,
): Promise<number> => {
  const pair = await createNetnsPair(t)
  const tc: Tc = (...args) => run('tc', ['-n', pair.server, ...args])
  const rate = `${8 * (BYTES + HEADERS) * PACKETS_A_SECOND}bit`
  const slow = ['tbf', 'rate', rate, 'burst', '3000', 'limit', limit]
  await tc('qdisc', 'replace', 'dev', 'wire', 'root', 'handle', '1:', ...slow)
  const service = await startEcho(t, { host: pair.ipv4, netns: pair.server })
  const program = rootPath('dist/test/kernel/fixtures/lossy-client.js')
  const args = [program, service.host, service.port, REQUESTS, BYTES, INTERVAL_MS]
  const client = await startProcess(t, process.execPath, args, { netns: pair.client })
  await waitForOutput(client, /^ready\n/)
  const countUntold = await watchDepartures(t, pair.server, 'wire')
  const measurement = await startMeasuring(t, '--port', `${service.port}/udp`, '--netns', pair.server)
  client.child.stdin?.write('\n')
  await drop(tc)
  const { code, stdout, stderr } = await client.ended
  t.is(code, 0, stderr)
  const document = await measurement.stop()
  const { answers, mean_us } = JSON.parse(stdout.slice('ready\n'.length))
  const untold = await countUntold()
  t.log(`${answers} answers; no probe was told of ${untold}`)
  t.true(document.requests <= answers && document.requests >= answers - untold, `${document.requests}`)
  t.is(document.requests + document.unanswered + document.in_flight, REQUESTS)
  t.is(document.lost.map_full, 0)
  const ofTotal = document.total.mean_us ?? 0
  t.true(ofTotal < mean_us, `${ofTotal} us, and ${mean_us} us by the client's clock`)
  return answers
}

const QUICK = ['tbf', 'rate', '1gbit', 'burst', '16000', 'limit', '10mb']

for (const [what, next] of [
  ['another queue', ['replace', 'dev', 'wire', 'root', 'handle', '2:', ...QUICK]],
  ['none', ['delete', 'dev', 'wire', 'root']],
] as const) {
  kernelTest(
    `answers that are dropped with the queue of their interface shift no other, when there is ${what} in its place`,
    async t => {
      const answers = await assertUnshifted(t, '10mb', async tc => {
        await waitFor('answers to wait in the queue', async () => {
          const { stdout } = await tc('-json', '-s', 'qdisc', 'show', 'dev', 'wire')
          return JSON.parse(stdout)[0].qlen >= WAITING || null
        })
        await tc('qdisc', ...next)
      })
      t.true(answers <= REQUESTS - WAITING, `${answers} answers`)
    },
    'ip',
    'tc',
  )
}

kernelTest(
  'answers that a full queue does not take shift no other',
  async t => {
    const answers = await assertUnshifted(t, `${10 * (BYTES + HEADERS)}`, async () => {})
    t.true(answers <= REQUESTS / 2, `${answers} answers`)
  },
  'ip',
  'tc',
)
