import test from 'ava'
import type { Advice } from '../../src/advise/all.js'
import type { LeftOut, Proposal } from '../../src/cli/proposal.js'
import {
  formatPlan,
  formatTune,
  type Outcome,
  planDocument,
  tuneDocument,
} from '../../src/cli/tune-report.js'
import { createRandom } from '../../src/statistics/random.js'
import { ALLOWANCES, judge } from '../../src/tune/judge.js'
import type { Pair, Slice } from '../../src/tune/slice.js'
import { summarize } from '../../src/tune/summary.js'
import { exampleDocument } from '../latency/example-document.js'
import { halved, SLICE } from '../tune/example-slice.js'

const document = exampleDocument()

const adviseCpus = (cpus: string): Advice => ({
  rule: 'neighbour',
  finding: `sh (7) is not on CPU ${cpus}`,
  evidence: [],
  settings: [{ knob: 'cpu.app_affinity', value: cpus, port: 80 }],
  gain: null,
  cost: 'none',
  expense: 'none',
  risk: 'none',
})

const proposal: Proposal = { advice: adviseCpus('0'), plans: [] }
const leftOut = [{ advice: adviseCpus('1'), by: '--exclude' as const }]

const NOTHING_LOST = { ringbuf_full: 0, map_full: 0, unmatched: 0, clock: 0, recursion: 0 }

/** What comes of a run in which there was one trial, of these pairs. */
const outcomeOf = (pairs: Pair[]): Outcome => {
  const judgement =
    pairs.length === 0
      ? null
      : judge(pairs, {
          aim: { goal: 'p99', withAck: false },
          alpha: 0.001,
          allow: ALLOWANCES,
          random: createRandom(1),
        })
  return {
    document,
    advice: [],
    leftOut: [],
    result: {
      trials: [
        {
          candidate: proposal,
          pairs,
          decision: 'undecided',
          reason: 'no matter',
          judgement,
          needed: null,
          looked: 0,
          mayRetry: false,
        },
      ],
      kept: [],
      whole: null,
      before: null,
      after: null,
      isReached: false,
    },
    entries: [],
    limit: null,
    isMet: false,
    lost: NOTHING_LOST,
    energy: { by: 'CPU busy time', isStandIn: true, why: 'nothing here tells watts' },
  }
}

const textOf = (outcome: Outcome): string => formatTune('p99', outcome, { columns: 200, color: false })

/** The costs of a trial, as people see them. */
const costsOf = (on: Partial<Slice>, off: Partial<Slice>): string[] =>
  textOf(outcomeOf(halved(on, off)))
    .split('\n')
    .filter(line => /^ {3}(?:cost|in place of watts)/.test(line))
    .map(line => line.trim())

test('a trial costs watts and degrees, where the hardware tells them', t => {
  const costs = costsOf({ watts: 5.25, celsius: 61 }, { watts: 5, celsius: 58.5 })
  t.deepEqual(costs, [
    'cost, without it → with it: CPU time 0 % (95 %: 0 to 0 %), 5.0 → 5.3 W, 58.5 → 61.0 °C',
  ])
})

test('where nothing tells watts, what stands in for them is named as that', t => {
  const costs = costsOf(
    { busy: 0.5, celsius: 50, wakeups: 1500.4, mhz: 1800 },
    { busy: 0.4, celsius: 49, wakeups: 1200, mhz: 1400 },
  )
  t.regex(costs[0] ?? '', /^cost, without it → with it: CPU time \+25 % .*, 49\.0 → 50\.0 °C$/)
  t.is(
    costs[1],
    'in place of watts (nothing here tells watts): 60 → 50 % of the time idle, 1,200 → 1,500 wake-ups a second, 1,400 → 1,800 MHz',
  )
})

test('what the kernel does not tell is absent from the costs', t => {
  t.deepEqual(costsOf({}, {}), [
    'cost, without it → with it: CPU time 0 % (95 %: 0 to 0 %)',
    'in place of watts (nothing here tells watts): 50 → 50 % of the time idle',
  ])
  t.notRegex(textOf(outcomeOf([])), /cost|watts/)
})

/** With something to change, of which there is a row for each place. */
const changing: Proposal = {
  ...proposal,
  plans: [
    {
      // The report takes only the name of the knob.
      wish: {
        knob: { name: 'cpu.app_affinity' },
        why: proposal.advice.finding,
      } as Proposal['plans'][0]['wish'],
      changes: [{ place: { kind: 'file', path: '/sys/a', form: 'text' }, from: '1', to: '0' }],
    },
  ],
}

test('the document has the same costs as the text', t => {
  const outcome = outcomeOf(halved({ celsius: 61, mhz: 1800 }, { celsius: 58.5, mhz: 1400 }))
  const trials = outcome.result.trials.map(trial => ({ ...trial, candidate: changing }))
  const [row] = tuneDocument('p99', { ...outcome, result: { ...outcome.result, trials } }).trials
  t.deepEqual(row?.cost, {
    cpu: { estimate: 1, low: 1, high: 1 },
    watts: null,
    celsius: { on: 61, off: 58.5 },
    stand_in: {
      for: 'watts',
      idle_share: { on: 0.5, off: 0.5 },
      awake: null,
      wakeups_per_second: null,
      mhz: { on: 1800, off: 1400 },
    },
  })
})

test('more time is advised only where a trial may have as many pairs as it takes', t => {
  const told = (needed: NonNullable<Outcome['result']['trials'][0]['needed']>): string => {
    const outcome = outcomeOf([])
    const trials = outcome.result.trials.map(trial => ({ ...trial, needed }))
    return textOf({ ...outcome, result: { ...outcome.result, trials } })
  }
  const within = told({ pairs: 40, gain: 0.1, isSeen: true, isWithinReach: true })
  t.regex(within, /would take about 40 pairs \(try: --for longer, or --only fewer\)/)
  const beyond = told({ pairs: 400, gain: 0.1, isSeen: true, isWithinReach: false })
  t.regex(
    beyond,
    /would take about 400 pairs, more than a trial may have: it can not be proven in this noise/,
  )
  t.notRegex(beyond, /--for/)
})

test('that no setting helps is in the documents, too', t => {
  const advice: Advice[] = [{ ...adviseCpus('0'), rule: 'own-time', settings: [], evidence: ['92 %'] }]
  const outcome = { ...outcomeOf([]), advice: [...advice, adviseCpus('1')] }
  const expected = [{ rule: 'own-time', finding: 'sh (7) is not on CPU 0', evidence: ['92 %'] }]
  t.deepEqual(tuneDocument('p99', outcome).no_setting_helps, expected)
  t.deepEqual(planDocument('p99', document, [], [], outcome.advice).no_setting_helps, expected)
})

test('what is left out is told, with the option that says so, and that nothing else was tried', t => {
  const outcome = outcomeOf([])
  const untried = { ...outcome, leftOut, result: { ...outcome.result, trials: [] } }
  const told =
    'LEFT OUT by --exclude: sh (7) is not on CPU 1\n   taut apply --set cpu.app_affinity=1 --port 80'
  t.is(textOf(untried), `${told}\n\nThere was nothing else to try; nothing was changed.\n`)
  const plan = formatPlan([], leftOut, [], { columns: 200, color: false })
  t.is(plan, `There is nothing else to try.\n${told}\n`)
  const { finding, settings } = adviseCpus('1')
  const documents = [tuneDocument('p99', untried), planDocument('p99', document, [], leftOut, [])]
  for (const { left_out } of documents)
    t.deepEqual(left_out, [{ rule: 'neighbour', finding, settings, by: '--exclude' }])
})

test('what this machine can not do is told, with the reason', t => {
  const outcome = outcomeOf([])
  const why = 'eth0 has no \u001b[31mqueues'
  const leftOut: LeftOut[] = [{ advice: adviseCpus('1'), by: 'machine', why }]
  const untried = { ...outcome, leftOut, result: { ...outcome.result, trials: [] } }
  t.regex(
    textOf(untried),
    /^NOT HERE: sh \(7\) is not on CPU 1\n {3}taut apply .*\n {3}eth0 has no .*queues\n/,
  )
  t.false(textOf(untried).includes('\u001b'))
  const { finding, settings } = adviseCpus('1')
  t.deepEqual(tuneDocument('p99', untried).left_out, [
    { rule: 'neighbour', finding, settings, by: 'machine', why },
  ])
})

test('what is guarded, and what went wrong, is told of each trial', t => {
  const outcome = outcomeOf(halved({ retransmits: 2, unanswered: 1, mean: 1.02 }, { retransmits: 1 }))
  t.regex(
    textOf(outcome),
    /^ {3}guarded: p50 0 % \(95 %: .*\), mean \+2 % \(95 %: .*\), throughput 0 % \(95 %: .*\)$/m,
  )
  const trials = outcome.result.trials.map(trial => ({ ...trial, candidate: changing }))
  const [row] = tuneDocument('p99', { ...outcome, result: { ...outcome.result, trials } }).trials
  t.deepEqual(row?.mishaps, { retransmits: { on: 24, off: 12 }, unanswered: { on: 12, off: 0 } })
})

test('a target is told of in the end, reached or not, also where it is reached with nothing', t => {
  const outcome = outcomeOf([])
  const told = (isReached: boolean): string =>
    textOf({
      ...outcome,
      limit: { quantity: 'p99', ns: 1e6 },
      result: { ...outcome.result, isReached },
    })
  t.regex(told(false), /^The target is not reached: p99 is not below 1\.00 ms\.$/m)
  t.regex(told(false), /^Nothing was proven to help/m)
  t.regex(
    told(true),
    /^It takes nothing of this any more; everything is as it was\.\nThe target is reached\.$/m,
  )
  t.notRegex(textOf(outcome), /target/)
})

/** What is seen of the end, in one line. */
const endOf = (goal: 'p99' | 'p99.9' | 'throughput' | 'energy', rest: Partial<Outcome>): string => {
  const before = summarize([{ ...SLICE, p999: 4e6, watts: 5 }])
  const after = summarize([{ ...SLICE, p999: 2e6, watts: 4, requests: 1500 }])
  const outcome = outcomeOf([])
  const result = { ...outcome.result, before, after }
  return formatTune(goal, { ...outcome, result, ...rest }, { columns: 200, color: false })
}

test('the end tells what the goal came to, whatever it is', t => {
  t.regex(endOf('p99.9', {}), /, p99\.9 4\.\d* ms → 2\.\d* ms, mean/)
  t.regex(endOf('throughput', {}), /, 1,000 → 1,500 requests a second$/m)
  t.regex(endOf('energy', {}), /, 5\.0 → 4\.0 W$/m)
  t.notRegex(endOf('p99', {}), /p99\.9|requests a second| W$/m)
})

test('without a meter, energy is told by what stands in for it, as a change', t => {
  const outcome = outcomeOf([])
  const result = {
    ...outcome.result,
    before: summarize([{ ...SLICE, awake: 0.4 }]),
    after: summarize([{ ...SLICE, awake: 0.3 }]),
  }
  const text = formatTune('energy', { ...outcome, result }, { columns: 200, color: false })
  t.regex(text, /, energy, by what stands in for it, -25 %$/m)
})

test('what was lost in the whole run is in the document, and in the text where it is something', t => {
  const lost = { ...NOTHING_LOST, map_full: 7 }
  t.deepEqual(tuneDocument('p99', { ...outcomeOf([]), lost }).lost, lost)
  t.regex(endOf('p99', { lost }), /^LOST: .*map full 7/m)
  t.notRegex(endOf('p99', {}), /lost/i)
})

test('the document names what energy is told by, and why by that', t => {
  const energy = {
    by: 'CPU busy time',
    isStandIn: true,
    why: 'battery BAT0 tells something new only every 12.0 s',
  }
  t.deepEqual(tuneDocument('p99', { ...outcomeOf([]), energy }).energy, {
    by: energy.by,
    stand_in: true,
    why: energy.why,
  })
})

test('what no setting helps against comes after what was tried', t => {
  const advice: Advice[] = [{ ...adviseCpus('0'), settings: [], finding: 'it computes' }]
  const text = textOf({ ...outcomeOf([]), advice })
  t.true(text.indexOf('It computes.') > text.indexOf('UNDECIDED: sh (7)'), text)
  const plan = formatPlan([proposal], [], advice, { columns: 200, color: false })
  t.true(plan.indexOf('It computes.') > plan.indexOf('1. sh (7)'), plan)
})
