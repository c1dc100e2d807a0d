import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { enableRunStats, listPrograms } from 'libbpf-ts'
import type { MeasureDocument } from '../../src/latency/document.js'
import { assertNear } from '../kernel/support/assertions.js'
import { compile, rootPath } from '../kernel/support/fixtures.js'
import { type Context, kernelTest } from '../kernel/support/kernel-test.js'
import { runLoad } from '../kernel/support/load.js'
import { startProcess } from '../kernel/support/processes.js'
import { startMemcached } from '../kernel/support/services.js'
import { TAUT } from '../kernel/support/taut.js'
import { waitFor } from '../kernel/support/wait.js'

/** In percent of the machine: twice and more what taut's own process takes on two slow CPUs. */
const BUDGET = 2
/** What full depth would cost at the last rate, of the budget; what counts and totals alone would is about 0.8. */
const UNBOUNDED = 1.05
const STEPS = 10
const STEP_SECONDS = 6
const CONNECTIONS = 64
/** So many documents, of a second each, are about one rate in the end. */
const STEADY = 20
/** It is known a second later what a second has cost, and a quarter of the depth is given up at once. */
const SECONDS_TO_GIVE_WAY = 3
/** Up to where the share is steady after each step of the load, and there. */
const MOST_TURNS = 3
/** Of the budget, the kernel's accounts and taut's own, which rests on samples. */
const OF_WITNESS = 0.25
/** For a second or two of its six a step may cost more, before depth is given up. */
const OF_STEP = 1.1
const TICKS_A_SECOND = 100

type Live = { pid: number; documents: () => MeasureDocument[]; stop: () => Promise<MeasureDocument[]> }

const startLive = async (t: Context, port: number, budgetPercent: number): Promise<Live> => {
  const args = [TAUT, 'live', '--json', '--port', port, '--budget', `${budgetPercent}%`]
  const { pid, child, ended, stdout } = await startProcess(t, process.execPath, args)
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
  return { pid, documents, stop }
}

/** Gives the rate at which following all requests would cost so many percent of the machine. */
const findRate = async (t: Context, port: number, percent: number): Promise<number> => {
  const live = await startLive(t, port, 100)
  await runLoad(t, { port, connections: CONNECTIONS, rate: 10_000, requests: 150_000 })
  // Without taut's own start.
  const busy = (await live.stop()).filter(({ requests }) => requests > 5000).slice(5)
  const median = (numbers: number[]): number =>
    numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
  const bpfNs = median(busy.map(({ cost }) => cost.bpf_ns_per_request ?? Number.NaN))
  const agent = median(busy.map(({ cost }) => cost.agent_cpu_percent ?? Number.NaN))
  return Math.round((((percent * cpus().length - agent) / 100) * 1e9) / bpfNs / STEPS)
}

/** Gives how many nanoseconds of each run of a program in the kernel's account are the account's own. */
const measureAccountClock = async (): Promise<number> => {
  const program = rootPath('dist/test/endurance/programs/account-clock')
  await compile(rootPath('test/endurance/programs/account-clock.c'), program, '-lbpf')
  return Number((await promisify(execFile)(program)).stdout)
}

/** What the kernel says that BPF programs and a process have taken so far, and when, in nanoseconds. */
type Account = { programs: number; agent: number; at: number }

const readAccount = async (
  pid: number,
  clockNs: number,
  isOurs: (id: number) => boolean,
): Promise<Account> => {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  const programs = listPrograms()
    .filter(({ id }) => isOurs(id))
    .reduce((sum, { runTimeNs, runCount }) => sum + Number(runTimeNs) - Number(runCount) * clockNs, 0)
  return {
    programs,
    agent: (((user ?? Number.NaN) + (system ?? Number.NaN)) / TICKS_A_SECOND) * 1e9,
    at: performance.now() * 1e6,
  }
}

const percentBetween = (from: Account, to: Account): number =>
  ((to.programs - from.programs + to.agent - from.agent) / (to.at - from.at) / cpus().length) * 100

const countTurns = (shares: number[]): number => {
  const moves = shares
    .slice(1)
    .map((share, index) => Math.sign(share - (shares[index] ?? 0)))
    .filter(step => step !== 0)
  return moves.filter((step, index) => index > 0 && step !== moves[index - 1]).length
}

/** The longest run of seconds that cost more than the budget although there was depth to give up. */
const longestExcess = (documents: readonly MeasureDocument[]): number => {
  let [run, longest] = [0, 0]
  for (const { cost, depth } of documents) {
    run = (cost.machine_percent ?? 0) > BUDGET && (depth.share ?? 0) > 0 ? run + 1 : 0
    longest = Math.max(longest, run)
  }
  return longest
}

const sharesOf = (documents: readonly MeasureDocument[]): number[] =>
  documents.map(({ depth }) => Math.round((depth.share ?? 0) * 10) / 10)

kernelTest(
  `stays within ${BUDGET} % of the machine, by the kernel accounts too, while the load grows tenfold within a minute`,
  async t => {
    const service = await startMemcached(t)
    const load = { port: service.port, connections: CONNECTIONS }
    const firstRate = await findRate(t, service.port, UNBOUNDED * BUDGET)

    const clockNs = await measureAccountClock()
    // What is on already would count in both.
    t.true(clockNs > 5 && clockNs < 200, `${clockNs} ns`)
    const others = new Set(listPrograms().map(({ id }) => id))
    const live = await startLive(t, service.port, BUDGET)
    // Those of all samples of the overheads, too.
    const readNow = () => readAccount(live.pid, clockNs, id => !others.has(id))
    using _ = enableRunStats()
    const accounts = [await readNow()]
    let sent = 0
    for (let step = 1; step <= STEPS; step++) {
      const rate = firstRate * step
      sent += (await runLoad(t, { ...load, rate, requests: rate * STEP_SECONDS })).requests
      accounts.push(await readNow())
    }
    const rampEnd = live.documents().length
    const rate = firstRate * STEPS
    sent += (await runLoad(t, { ...load, rate, requests: rate * STEADY })).requests
    accounts.push(await readNow())
    const counted = () => live.documents().reduce((sum, { requests }) => sum + requests, 0)
    await waitFor('the last requests to be shown', () => (counted() >= sent ? true : null))
    const documents = await live.stop()
    t.is(counted(), sent)
    for (const { lost } of documents)
      t.deepEqual(lost, { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 })

    const [first, ...rest] = accounts
    const [last, before] = rest.toReversed()
    if (first === undefined || last === undefined || before === undefined) throw new Error('no accounts')
    const steps = rest.map((account, index) => percentBetween(accounts[index] ?? first, account))
    const [ramp, steady] = [documents.slice(0, rampEnd), documents.slice(rampEnd).slice(1, STEADY - 1)]
    const own =
      steady.reduce((sum, { cost }) => sum + (cost.machine_percent ?? Number.NaN), 0) / steady.length
    const told = documents
      .map(({ cost, depth }) => `${cost.machine_percent?.toFixed(2)}@${depth.share}`)
      .join(' ')
    const said = `rates to ${rate}; ${clockNs} ns a run are the account's; kernel ${steps.map(percent => percent.toFixed(2)).join(' ')}; taut ${told}`
    t.log(said)

    t.true(percentBetween(first, before) <= BUDGET, `the ramp, by the kernel: ${said}`)
    t.true(Math.max(...steps) <= BUDGET * OF_STEP, `each of its steps, by the kernel: ${said}`)
    t.true(percentBetween(before, last) <= BUDGET, `the steady load, by the kernel: ${said}`)
    t.true(own <= BUDGET, `the steady load, by taut: ${said}`)
    assertNear(t, own, percentBetween(before, last), BUDGET * OF_WITNESS, said)
    t.true(longestExcess(documents) <= SECONDS_TO_GIVE_WAY, said)
    t.true(Math.max(...sharesOf(ramp)) === 1, `all is followed at first: ${said}`)
    t.true((steady.at(-1)?.depth.share ?? 1) < 1, `the budget is reached: ${said}`)
    // In the end there may be none: what counts and totals take is not much less than the budget.
    const isPartial = (document?: MeasureDocument): boolean =>
      (document?.depth.share ?? 0) > 0.05 && (document?.depth.share ?? 1) < 0.95
    t.true(
      documents.some((document, index) => isPartial(document) && isPartial(documents[index + 1])),
      `depth is given up in parts: ${said}`,
    )
    t.true(countTurns(sharesOf(documents)) <= MOST_TURNS, `no flapping: ${said}`)
  },
  'memcached',
)
