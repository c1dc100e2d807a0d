import { readFileSync } from 'node:fs'
import { stripVTControlCharacters } from 'node:util'
import test from 'ava'
import { advise, commandsOf, RULES } from '../../src/advise/all.js'
import { documentRules } from '../../src/advise/document.js'
import { estimateGain, estimateSpeedup } from '../../src/advise/gain.js'
import { EXPENSES } from '../../src/advise/rule.js'
import { adviceDocument, formatAdvice } from '../../src/cli/advise.js'
import { displayWidth } from '../../src/text/width.js'
import { cpu, createDocument, createEvidence, fourCpus, hog, irq, localityOf } from './example-evidence.js'

const rulesOf = (...parts: Parameters<typeof createEvidence>): string[] =>
  advise(createEvidence(...parts)).map(({ rule }) => rule)

const TROUBLE = [
  { runqueue: 60, dispatch: 10, idle_exit: 20 },
  {
    neighbours: [hog({ cpu: 0 })],
    serviceCpus: [0],
    irqs: [irq(0, { cpus: [0], counts: [[0, 9000]] })],
    cpus: fourCpus(cpu(0, { steal: 0.2 })),
    tuners: [{ name: 'irqbalance', pid: 5 }],
    rxUsecs: 60,
  },
  localityOf(0, 0),
] satisfies Parameters<typeof createEvidence>

test('where nothing is in the way there is nothing to recommend', t => {
  t.deepEqual(rulesOf(), [])
})

test('what gains most over its cost comes first; what no setting helps against after what may help', t => {
  const advice = advise(createEvidence(...TROUBLE))
  const stolen = advice.findIndex(({ rule }) => rule === 'steal')
  const isHelp = ({ gain, expense }: (typeof advice)[0]): boolean =>
    (gain?.p99 ?? 0) / 2 ** EXPENSES.indexOf(expense) >= 0.03
  t.true(stolen > 0 && advice.slice(0, stolen).every(isHelp))
  const rest = advice.filter(({ rule }) => rule !== 'steal')
  t.false(rest.slice(stolen).some(isHelp))
  const worths = rest.map(({ gain, expense }) => (gain?.p99 ?? 0) / 2 ** EXPENSES.indexOf(expense))
  t.true(worths.length > 3)
  t.deepEqual(
    worths,
    worths.toSorted((a, b) => b - a),
  )
  // As much gain at less cost.
  const names = advice.map(({ rule }) => rule)
  t.true(names.indexOf('irqs-elsewhere') < names.indexOf('irq-on-app-cpu'))
})

test('of what has no known gain, the cheaper comes first', t => {
  const moves = irq(0, {
    counts: [
      [2, 100],
      [3, 100],
    ],
  })
  const names = rulesOf(
    {},
    { irqs: [moves], tuners: [{ name: 'irqbalance', pid: 5 }], rxUsecs: 500 },
    { total: { ...createDocument().total, p50_us: null, p99_us: null } },
  )
  t.deepEqual(names, ['irqbalance', 'lazy-coalescing'])
})

test('what two rules would set alike is advised once, with what both have found', t => {
  const alike = advise(createEvidence(...TROUBLE)).filter(({ settings }) =>
    settings.some(({ knob }) => knob === 'cpu.app_affinity'),
  )
  t.is(alike.length, 1)
  t.regex(alike[0]?.finding ?? '', /packets come in on CPU 0.*; besides, hog \(77\) runs on CPU 0/)
  t.true(alike[0]?.evidence.some(line => line.startsWith('hog (77) took')))
  t.true(alike[0]?.evidence.some(line => line.startsWith('softirqs took')))
  // On another CPU the neighbour asks for something else.
  const { neighbours: _, ...machine } = TROUBLE[1]
  const apart = rulesOf(TROUBLE[0], { ...machine, serviceCpus: [0, 1], neighbours: [hog()] }, TROUBLE[2])
  t.true(apart.includes('neighbour') && apart.includes('irq-on-app-cpu'), apart.join())
})

test('own time is told beside what may still be tried', t => {
  const [first] = advise(createEvidence({ app_cpu: 900 }, { squeezes: 500 }))
  t.is(first?.rule, 'own-time')
  t.deepEqual(first?.settings, [])
})

test('no setting is advised for a device that the requests did not come by', t => {
  const trouble = { rxUsecs: 500 }
  t.deepEqual(rulesOf({}, trouble, localityOf(0, 1)), ['lazy-coalescing', 'away-from-app'])
  t.deepEqual(rulesOf({}, { ...trouble, received: 100 }, localityOf(0, 1)), [])
})

test('the gain is what the stages take above their best, of the slowest 1 % and of all but the slowest tenth', t => {
  // The slowest fiftieth waits for 200 µs and more, in twice the usual time of the rest.
  const evidence = createEvidence({ runqueue: 100 })
  const { p50, p99, how } = estimateGain(evidence, 'runqueue')
  const row = evidence.document.tail.find(({ from_percentile }) => from_percentile === 99)
  const waits = (row?.stages.runqueue ?? 0) / (row?.mean_us ?? 1)
  t.true(waits > 0.7)
  // Usually it takes 1.5 µs, up to a sixth more.
  const best = 1.5 / (row?.mean_us ?? 1)
  t.true(p99 < waits - best * 0.95 && p99 > waits - best * 1.2, `${p99}`)
  // Those that wait are of the slowest tenth, and the median has nothing of it.
  t.true(p50 >= 0 && p50 < 0.01, `${p50}`)
  t.is(how, 'as if runqueue took no longer than in the faster half of the requests')
})

test('exemplars tell what is best where they are enough, and were better', t => {
  const exemplar = (idle_exit: number) => ({ total_us: 100, cpu: {}, stages: { idle_exit } })
  const slow = { idle_exit: 50 }
  const estimate = (...exemplars: ReturnType<typeof exemplar>[]) => {
    const document = createDocument(slow, { exemplars })
    // As if every request had to wake a CPU up.
    const stages = document.stages.map(stage =>
      stage.name === 'idle_exit' ? { ...stage, requests: document.requests } : stage,
    )
    return estimateGain({ ...createEvidence(), document: { ...document, stages } }, 'idle_exit')
  }
  const eight = Array.from({ length: 8 }, (_, index) => exemplar(2 + index))
  const [without, few, enough] = [estimate(), estimate(...eight.slice(0, 7)), estimate(...eight)]
  t.deepEqual(few, without)
  t.true(enough.p99 > without.p99)
  t.regex(enough.how, /or in the best of 8 single ones/)
})

test('where every request has to wake a CPU up, the idle state that is left fastest is the best', t => {
  const stages = createDocument({ idle_exit: 50 }).stages.map(stage =>
    stage.name === 'idle_exit' ? { ...stage, requests: 5000, mean_us: 100 } : stage,
  )
  const estimate = (...means: number[]) => {
    const idle_exits = means.map((mean_us, state) => ({ state, requests: 100, mean_us }))
    return estimateGain(createEvidence({ idle_exit: 50 }, {}, { stages, idle_exits }), 'idle_exit')
  }
  t.true(estimate(2, 100).p99 > estimate(100).p99)
  t.regex(estimate(2, 100).how, /, or out of the idle state that is left fastest$/)
  t.notRegex(estimate(100).how, /idle state/)
})

test('a faster clock makes its stages shorter in proportion', t => {
  const evidence = createEvidence()
  const half = estimateSpeedup(evidence, 0.5, 'app_cpu', 'send')
  const quarter = estimateSpeedup(evidence, 0.75, 'app_cpu', 'send')
  t.true(Math.abs(half.p99 - quarter.p99 * 2) < 1e-12)
  // 17 of 29.1 µs, in the slowest as in all.
  t.true(Math.abs(half.p99 - (0.5 * 17) / 29.1) < 0.01, `${half.p99}`)
  t.true(Math.abs(half.p50 - (0.5 * 17) / 29.1) < 0.01, `${half.p50}`)
})

test('without requests there is no gain, and no NaN', t => {
  const document = { ...createDocument(), requests: 0, stages: [], tail: [] }
  const { p50, p99 } = estimateGain({ ...createEvidence(), document }, 'runqueue')
  t.deepEqual([p50, p99], [0, 0])
})

test('commands have the selector that their knob takes', t => {
  const commands = advise(createEvidence(...TROUBLE)).flatMap(commandsOf)
  t.true(commands.includes('taut apply --set irq.affinity=1-3 --nic eth0'), commands.join('\n'))
  t.true(commands.includes('taut apply --set cpu.app_affinity=1-3 --port 11211'), commands.join('\n'))
  t.true(commands.includes('taut apply --set cpu.idle_latency=5'), commands.join('\n'))
})

const byHand = () =>
  advise(createEvidence(...TROUBLE)).map(each => ({
    ...each,
    shell: [`echo 1 > /a/${each.rule}`],
    obstacle: null,
  }))

test('the JSON has what was lost, the gain with how it was computed, and both kinds of commands', t => {
  const lost = { ringbuf_full: 1, map_full: 2, unmatched: 5, clock: 3, recursion: 4 }
  const printed = JSON.parse(JSON.stringify(adviceDocument(createDocument({}, { lost }), byHand())))
  t.deepEqual(printed.lost, lost)
  t.is(printed.schema, 1)
  const found = printed.advice.find(({ rule }: { rule: string }) => rule === 'irqs-elsewhere')
  t.deepEqual(Object.keys(found).sort(), [
    'commands',
    'cost',
    'evidence',
    'expense',
    'finding',
    'gain',
    'obstacle',
    'risk',
    'rule',
    'settings',
    'shell_commands',
  ])
  t.is(found.expense, 'low')
  t.regex(found.gain.how, /^as if irq, runqueue, app_wait and dispatch took no longer/)
  t.deepEqual(found.shell_commands, ['echo 1 > /a/irqs-elsewhere'])
  t.is(printed.advice.find(({ rule }: { rule: string }) => rule === 'steal').gain, null)
})

test('for people, it fits the columns but for commands, and tells what was lost', t => {
  for (const columns of [40, 80, 200]) {
    const text = formatAdvice(createDocument(), byHand(), { columns, color: true })
    const lines = stripVTControlCharacters(text).split('\n')
    t.true(lines[0]?.startsWith('1. '))
    t.true(lines.some(line => /^\d+\. the hypervisor/.test(line)))
    const prose = lines.filter(line => !/^ +(taut apply|echo) /.test(line))
    t.true(
      prose.every(line => displayWidth(line) <= columns),
      prose.find(line => displayWidth(line) > columns),
    )
    t.regex(lines.join(' '), /the same by hand: +echo 1 > \/a\//)
    t.regex(lines.join(' '), /cost: .* \(low\); +risk:/)
    t.regex(lines.join(' '), /Lost: nothing/)
  }
})

test('too few requests, and nothing found, are answers too', t => {
  const options = { columns: 80, color: false }
  t.regex(formatAdvice(createDocument(), [], options), /^Nothing to recommend: .*\nLost: nothing/)
  t.regex(
    formatAdvice({ ...createDocument(), requests: 3 }, [], options).replaceAll('\n', ' '),
    /^3 requests are too few to advise from, .* Lost: nothing/,
  )
})

test("what a process calls itself can't steer the terminal", t => {
  const advice = advise(createEvidence({ runqueue: 60 }, { neighbours: [hog({ comm: '\u001B[2Jevil' })] }))
  const text = formatAdvice(
    createDocument(),
    advice.map(each => ({ ...each, shell: [], obstacle: null })),
    { columns: 80, color: false },
  )
  t.true(text.includes('evil'))
  t.false(text.includes('\u001B'))
})

test('docs/advise.md is what the rules say of themselves (npm run docs makes it anew)', t => {
  const file = new URL('../../../docs/advise.md', import.meta.url)
  t.is(readFileSync(file, 'utf8'), documentRules())
  for (const { name } of RULES) t.true(documentRules().includes(`| \`${name}\` |`))
})
