import type { MeasureDocument } from '../../src/latency/document.js'
import { type Context, kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { startProcess } from '../kernel/support/processes.js'
import { startMemcached } from '../kernel/support/services.js'
import { TAUT } from '../kernel/support/taut.js'
import { waitFor } from '../kernel/support/wait.js'

const FIRST_RATE = 2000
const STEPS = 10
const STEP_SECONDS = 6
const CONNECTIONS = 64
/** So many documents, of a second each, are about one rate in the end. */
const STEADY = 20

type Live = { documents: () => MeasureDocument[]; stop: () => Promise<MeasureDocument[]> }

const startLive = async (t: Context, port: number, budgetPercent: number): Promise<Live> => {
  const args = [TAUT, 'live', '--json', '--port', port, '--budget', `${budgetPercent}%`]
  const { child, ended, stdout } = await startProcess(t, process.execPath, args)
  const parse = (text: string): MeasureDocument[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
  const documents = () => parse(stdout())
  const stop = async (): Promise<MeasureDocument[]> => {
    child.kill('SIGINT')
    return parse((await ended).stdout)
  }
  await waitFor('the first second', () => (documents().length > 0 ? true : null))
  return { documents, stop }
}

const countTurns = (shares: number[]): number => {
  const moves = shares
    .slice(1)
    .map((share, index) => Math.sign(share - (shares[index] ?? 0)))
    .filter(step => step !== 0)
  return moves.filter((step, index) => index > 0 && step !== moves[index - 1]).length
}

kernelTest(
  'stays within a budget that is reached halfway, while the load grows tenfold within a minute',
  async t => {
    const service = await startMemcached(t)
    const load = { port: service.port, connections: CONNECTIONS }
    // What the first and the last rate cost at full depth: the budget lies between, where it has to act.
    const free = await startLive(t, service.port, 100)
    await runLoad(t, { ...load, rate: FIRST_RATE * STEPS, requests: FIRST_RATE * STEPS * STEP_SECONDS })
    const costs = (await free.stop()).map(({ cost }) => cost.machine_percent ?? 0)
    const [median = 0] = costs.toSorted((a, b) => a - b).slice(costs.length / 2)
    const budget = Number((median * 0.85).toFixed(2))

    const live = await startLive(t, service.port, budget)
    let sent = 0
    for (let step = 1; step <= STEPS; step++) {
      const rate = FIRST_RATE * step
      const seconds = step === STEPS ? STEADY + STEP_SECONDS : STEP_SECONDS
      sent += (await runLoad(t, { ...load, rate, requests: rate * seconds })).requests
    }
    const counted = () => live.documents().reduce((sum, { requests }) => sum + requests, 0)
    await waitFor('the last requests to be shown', () => (counted() >= sent ? true : null))
    const documents = await live.stop()
    t.is(counted(), sent)
    for (const { lost } of documents)
      t.deepEqual(lost, { ringbuf_full: 0, map_full: 0, clock: 0, recursion: 0 })

    const busy = documents.filter(({ requests, seconds }) => requests / seconds > FIRST_RATE * STEPS * 0.9)
    const steady = busy.slice(-STEADY)
    const percents = steady.map(({ cost }) => cost.machine_percent ?? Number.NaN)
    const shares = steady.map(({ depth }) => depth.share ?? Number.NaN)
    const mean = percents.reduce((sum, percent) => sum + percent, 0) / percents.length
    t.log(`budget ${budget} %, mean ${mean.toFixed(2)} %, shares ${shares.join(' ')}`)
    t.true(
      shares.every(share => share < 1),
      'the budget is reached',
    )
    t.true(mean <= budget || shares.every(share => share === 0), percents.join(' '))
    t.true(
      countTurns(documents.map(({ depth }) => Math.round((depth.share ?? 0) * 10))) <= STEPS,
      'no flapping',
    )
  },
  'memcached',
)
