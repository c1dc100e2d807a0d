import { stripVTControlCharacters } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { displayWidth } from '../../src/text/width.js'
import { composeScreen } from '../../src/tui/compose.js'
import type { LiveView } from '../../src/tui/model.js'
import { exampleDocument } from '../latency/example-document.js'
import { exampleModel, quietService, tracedService } from './example-model.js'

const viewOf = (changes: Partial<LiveView> = {}): LiveView => ({
  model: exampleModel(),
  cursor: 0,
  isPaused: false,
  helpFrom: null,
  message: '',
  ...changes,
})

const text = (view: LiveView, columns = 80, rows = 24): string =>
  composeScreen(view, { columns, rows }, false).join('\n')

const models = [
  null,
  exampleModel(),
  exampleModel({ document: null }),
  exampleModel({ document: exampleDocument(0) }),
  exampleModel({ document: null, losses: null, target: null, services: [] }),
  exampleModel({
    services: Array.from({ length: 40 }, (_, port) => ({ ...tracedService, port, comm: '漢字の名前' })),
  }),
]

test('a screen has exactly its rows, and no line leaves its columns', t => {
  fc.assert(
    fc.property(
      fc.constantFrom(...models),
      fc.record({ columns: fc.integer({ min: 40, max: 200 }), rows: fc.integer({ min: 1, max: 60 }) }),
      fc.record({
        cursor: fc.nat(3),
        isPaused: fc.boolean(),
        helpFrom: fc.constantFrom(null, 0, 5),
        message: fc.string(),
      }),
      fc.boolean(),
      (model, area, state, color) => {
        const lines = composeScreen({ model, ...state }, area, color)
        t.is(lines.length, area.rows)
        for (const line of lines) {
          t.true(displayWidth(stripVTControlCharacters(line)) <= area.columns, line)
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('80 by 24 shows services, percentiles, all stages, losses, cost and keys', t => {
  const screen = text(viewOf())
  t.regex(screen, /^>\* memcached +11211\/tcp +1234 +40\.2k$/m)
  t.regex(screen, /^ {3}redis-server +6379\/tcp +812 +12$/m)
  t.regex(screen, /^ {3}\? +53\/udp +- +-$/m)
  t.regex(screen, /^ memcached tcp 11211 {2}20\.0k requests\/s {2}2 in flight {2}CPU 84 % {2}12\.3 MB$/m)
  t.regex(screen, /^ p50 .+ p90 .+ p99 .+ p99\.9 .+ max /m)
  t.regex(screen, /^ stage +p50\+ share +p99\+ share +p99\.9\+ share/m)
  for (const { name } of exampleModel().document?.stages ?? []) {
    t.regex(screen, new RegExp(`^ ${name} +\\d.* ▌?█*`, 'm'))
  }

  t.regex(screen, /^ lost: ringbuf 0, map 0, unmatched 0, clock 0/m)
  t.regex(screen, /^ cost: BPF 612 ns\/request, CPU 0\.7 %, 61\.0 MB$/m)
  t.regex(screen, /↑↓ choose .* q quit$/)
})

test('40 columns keep the three times of a stage and the bar of p99', t => {
  const screen = text(viewOf(), 40, 20)
  t.regex(screen, /^ runqueue +[\d.]+ µs +[\d.]+ µs █+▌? *[\d.]+ ms *$/m)
  t.notRegex(screen, /nginx|others/)
  t.regex(screen, /^ p99\.9 [\d.]+ ms +max [\d.]+ ms$/m)
})

test('the longest bar is that of the largest share, and as long as there is room for', t => {
  const bars = [...text(viewOf()).matchAll(/^ (\w+) +[\d.]+ [nµm]s (█*▌?) +[\d.]+ [nµm]s (█*▌?)/gm)]
  const [longest] = bars.toSorted((a, b) => (b[3] ?? '').length - (a[3] ?? '').length)
  t.is(longest?.[1], 'runqueue')
  t.regex(text(viewOf()), /^ runqueue .* [\d.]+ ms █{14}$/m)
  // Nine stages and the mean.
  t.is(bars.length, 10)
})

test('without room the lesser stages share one line, and nothing is lost', t => {
  const screen = text(viewOf(), 80, 15)
  t.regex(screen, /^ runqueue /m)
  t.regex(screen, /^ \d others +[\d.]+ [nµ]s/m)
  t.regex(screen, /^ mean /m)
  t.notRegex(screen, /^ qdisc /m)
})

test('the title tells how long the target has been traced', t => {
  t.regex(text(viewOf({ model: exampleModel({ seconds: 12.9 }) })), /^ taut {2}tracing {2,}12 s $/m)
})

test('losses alarm, those of intervals that are over too', t => {
  const lost = { ringbuf_full: 0, map_full: 3, unmatched: 0, clock: 0, recursion: 0 }
  const view = viewOf({ model: exampleModel({ losses: { lost, unanswered: 7 } }) })
  t.is(view.model?.document?.lost.map_full, 0)
  t.regex(text(view), /^ LOST: ringbuf 0, map 3, unmatched 0, clock 0, recursion 0 {3}unanswered 7$/m)
  t.regex(text(view, 40), /^ LOST: map 3, unanswered 7$/m)
  t.true(composeScreen(view, { columns: 80, rows: 24 }, true).some(line => line.includes('\u001B[31m LOST')))
})

test('what there is to say before the first request', t => {
  t.regex(text(viewOf({ model: null })), /^ taut {2}starting/)
  t.regex(text(viewOf({ model: exampleModel({ document: null }) })), /waiting for the first interval/)
  t.regex(text(viewOf({ model: exampleModel({ target: null }) })), /No service is traced/)
  t.regex(text(viewOf({ model: exampleModel({ services: [] }) })), /no service listens/)
  const idle = text(viewOf({ model: exampleModel({ document: exampleDocument(0) }) }))
  t.regex(idle, /no requests in this interval/)
  t.notRegex(idle, /NaN|Infinity|undefined|null/)
})

test('the cursor stays in sight in a long list', t => {
  const services = Array.from({ length: 40 }, (_, index) => ({
    ...quietService,
    comm: `service-${index}`,
    port: 1000 + index,
  }))
  for (const cursor of [0, 1, 20, 39]) {
    t.regex(
      text(viewOf({ model: exampleModel({ services }), cursor })),
      new RegExp(`^>  service-${cursor} `, 'm'),
    )
  }
})

test('names of processes and messages can not steer the terminal', t => {
  const service = { ...tracedService, comm: '\u001B[2J{bold}x\n' }
  const screen = text(
    viewOf({ model: exampleModel({ services: [service], target: service }), message: '\u001B[2Jno\n' }),
  )
  t.false(screen.includes('\u001B'))
  t.regex(screen, /^>\* \{bold\}x /m)
  t.regex(screen, /^ no$/m)
})

test('the help names the keys and every stage, from any line on', t => {
  const help = text(viewOf({ helpFrom: 0 }), 100, 40)
  t.regex(help, /^ Enter +trace the service/m)
  t.regex(help, /^ idle_exit +an idle CPU/m)
  t.notRegex(help, /memcached/)
  t.notRegex(text(viewOf({ helpFrom: 1 }), 100, 40), /move the cursor/)
})
