import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { build, HistogramLogWriter } from 'hdr-histogram-js'
import { formatComparison } from '../../src/cli/compare.js'
import { compare } from '../../src/compare/compare.js'
import { MeasurementError, type Runs } from '../../src/compare/measurement.js'
import { readMeasurement } from '../../src/compare/read.js'
import { createRandom } from '../../src/statistics/random.js'
import { exampleDocument } from '../latency/example-document.js'

const createFolder = (t: ExecutionContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-compare-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

const write = (t: ExecutionContext, text: string): string => {
  const file = join(createFolder(t), 'file')
  writeFileSync(file, text)
  return file
}

const numbers = (values: number[]): string => values.map(value => `${value}\n`).join('')

test('numbers without a run are all of one, however few they are', t => {
  t.deepEqual(readMeasurement(write(t, '# p99\n415\n 402.5 \n\n1e2\n'), 'p50'), {
    quantity: 'p50',
    values: [402.5],
    unit: 'text',
    parts: 3,
  })
  const file = write(t, numbers(Array.from({ length: 1001 }, (_, index) => index + 1)))
  t.deepEqual(readMeasurement(file, 'p99'), { quantity: 'p99', values: [991], unit: 'text', parts: 1001 })
})

test('a folder of texts: each file is a run', t => {
  const folder = createFolder(t)
  for (const run of [1, 2, 3]) writeFileSync(join(folder, `${run}`), numbers([run, run * 10, run * 100]))
  t.deepEqual(readMeasurement(folder, 'p50'), {
    quantity: 'p50',
    values: [10, 20, 30],
    unit: 'text',
    parts: 9,
  })
})

/** Requests of a run share its disturbances: each is near the one before, and none says what the next run is like. */
const dependentSamples = (random: () => number, count: number): number[] => {
  let level = 0
  return Array.from({ length: count }, () => {
    level = 0.95 * level + random() - 0.5
    return 400 * Math.exp(level)
  })
}

test('of requests of one run each, a text a side, nothing is ever proven, in whichever number they come', t => {
  for (const count of [10, 100, 500, 5000]) {
    const random = createRandom(count)
    const [a, b] = [1, 1.5].map(factor =>
      numbers(dependentSamples(random, count).map(value => value * factor)),
    ) as [string, string]
    const { ratio, verdict } = compare(
      readMeasurement(write(t, a), 'p99'),
      readMeasurement(write(t, b), 'p99'),
      0.05,
    )
    t.is(ratio, null, `${count}`)
    t.is(verdict, 'unclear')
  }
})

test('a run and a number a line: each run by its own quantile', t => {
  const file = write(t, 'one 1\ntwo 10\none 3\none 2\ntwo 30\n')
  const runs = { values: [2, 20], unit: 'name', parts: 5 }
  t.deepEqual(readMeasurement(file, 'p50'), { quantity: 'p50', ...runs } as Runs)
  t.deepEqual(readMeasurement(file, 'mean'), { quantity: 'mean', ...runs } as Runs)
})

test('mutilate --save: one run, of which each line has a request', t => {
  const file = write(t, '0.000102 51.021576\n0.000160 60.081482\n0.000228 55.074692\n')
  t.deepEqual(readMeasurement(file, 'p50'), {
    quantity: 'p50_us',
    values: [55.074692],
    unit: 'file',
    parts: 3,
  })
})

/** A document of five seconds that began so many seconds after another; without a session, as older ones are. */
const at = (seconds: number, p99_us: number, session?: string): string => {
  const { session: _, ...document } = exampleDocument()
  const started_at = new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString()
  return JSON.stringify({
    ...document,
    ...(session !== undefined && { session }),
    started_at,
    seconds: 5,
    total: { ...document.total, p99_us },
  })
}

const readLines = (t: ExecutionContext, ...lines: string[]): Runs =>
  readMeasurement(write(t, `${lines.join('\n')}\n`), 'p99')

test('documents of taut: one session is one run, however soon after each other they come', t => {
  const loop = readLines(t, at(0, 400, 'a'), at(5.05, 420, 'b'), at(10.1, 410, 'c'))
  t.deepEqual(loop, { quantity: 'p99_us', values: [400, 420, 410], unit: 'session', parts: 3 })
  const live = readLines(t, at(0, 400, 'a'), at(5, 420, 'a'), at(30, 410, 'a'), at(40, 100, 'b'))
  t.deepEqual(live, { quantity: 'p99_us', values: [410, 100], unit: 'session', parts: 4 })
})

test('parts of one run in several files of a folder are of one run', t => {
  const folder = createFolder(t)
  const fill = (...texts: string[]): string => {
    const path = join(folder, texts.join().slice(0, 9).replaceAll(/\W/g, '_'))
    mkdirSync(path)
    for (const [index, text] of texts.entries()) writeFileSync(join(path, `${index}`), text)
    return path
  }
  // As split(1) or the rotation of logs leaves them.
  const documents = fill(
    `${at(0, 400, 'a')}\n${at(5, 420, 'a')}\n`,
    `${at(10, 410, 'a')}\n${at(60, 300, 'b')}\n`,
  )
  t.deepEqual(readMeasurement(documents, 'p99').values, [410, 300])
  t.deepEqual(readMeasurement(fill('one 1\none 2\n', 'one 3\ntwo 7\n'), 'p50'), {
    quantity: 'p50',
    values: [2, 7],
    unit: 'name',
    parts: 4,
  })
})

test('documents without a session: those that begin where the last one ended are of one run', t => {
  t.deepEqual(readLines(t, at(0, 400), at(5.01, 420), at(10.02, 410)).values, [410])
  // A loop of taut measure: it takes longer than that to start.
  t.deepEqual(readLines(t, at(0, 400), at(5.4, 420), at(11, 410)).values, [400, 420, 410])
  // One file behind another, in whichever order.
  t.deepEqual(readLines(t, at(60, 400), at(0, 420)).values, [400, 420])
})

test('HdrHistogram logs: a file is a run, of all its intervals', t => {
  const log = (values: number[]): string => {
    let text = ''
    const writer = new HistogramLogWriter(content => {
      text += content
    })
    writer.outputLogFormatVersion()
    writer.outputStartTime(1_700_000_000_000)
    writer.outputLegend()
    for (const value of values) {
      const histogram = build()
      for (let count = 0; count < 100; count++) histogram.recordValue(value)
      histogram.startTimeStampMsec = 1_700_000_000_000
      histogram.endTimeStampMsec = 1_700_000_001_000
      writer.outputIntervalHistogram(histogram)
    }
    return text
  }
  // Each of its histograms has room for its own values, and no more.
  const [middle = 0] = readMeasurement(write(t, log([100, 5e9, 1e12])), 'p50').values
  t.true(Math.abs(middle / 5e9 - 1) < 0.001, `${middle}`)
  const folder = createFolder(t)
  writeFileSync(join(folder, 'first.hlog'), log([100, 200, 300]))
  writeFileSync(join(folder, 'second.hlog'), log([1000]))
  t.deepEqual(readMeasurement(folder, 'p50'), {
    quantity: 'p50',
    values: [200, 1000],
    unit: 'file',
    parts: 4,
  })
})

test('what is no measurement is refused, with its file and line', t => {
  for (const [text, message] of [
    ['1\n2\nthree\n', /file, line 3: it takes a number a line/],
    ['', /there is no number in it/],
    ['one 1\n61,2\n', /line 2: it is a number with a comma, or a run and its number \(try 1\.5, or 1 5\)/],
    ['1\nrun 2\n', /line 2: some lines have a run and some have none/],
    ['{"schema": 2}\n', /line 1: it is no document of taut measure --json: schema/],
    ['{', /line 1: it is no JSON/],
    ['#[Histogram log format version 1.3]\nnonsense\n', /HdrHistogram log|no value/],
    ['0.000102 51.021576\nbroken\n', /line 2: it is no line of mutilate --save/],
  ] as const)
    t.throws(() => readMeasurement(write(t, text), 'p99'), { instanceOf: MeasurementError, message })
  const folder = createFolder(t)
  mkdirSync(join(folder, 'empty'))
  t.throws(() => readMeasurement(join(folder, 'empty'), 'p99'), { message: /there is no file in it/ })
  t.throws(() => readMeasurement(join(folder, 'absent'), 'p99'), { message: /ENOENT/ })
})

test('a run and its number may have a comma between where that is plain', t => {
  t.deepEqual(readMeasurement(write(t, '1,61.5\n2, 62\nthree,63\n'), 'p99').values, [61.5, 62, 63])
})

test('what has no end is refused', t => {
  t.throws(() => readMeasurement('/dev/zero', 'p99'), { message: '/dev/zero: it is longer than 256 MiB' })
})

test('whatever the text, it is a measurement or refused', t => {
  const lines = fc.constantFrom(
    '1',
    'a 2',
    '0.000102 51.021576',
    '{"schema":1}',
    '#[Histogram log format version 1.3]',
    '"x",1,2,3,HISTFAAA',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(lines, fc.string()), { maxLength: 8 }), parts => {
      try {
        readMeasurement(write(t, parts.join('\n')), 'p99')
        t.pass()
      } catch (error) {
        t.true(error instanceof MeasurementError, String(error))
      }
    }),
  )
})

const around = (center: number): number[] =>
  [0.97, 0.98, 0.99, 1, 1.01, 1.02, 1.03, 1.005].map(factor => center * factor)

test('verdicts: better, worse, the same, unclear', t => {
  const a: Runs = { quantity: 'p99_us', values: around(400), unit: 'session', parts: 8 }
  const verdictOf = (values: number[]): string => compare(a, { ...a, values }, 0.05).verdict
  t.is(verdictOf(around(150)), 'better')
  t.is(verdictOf(around(800)), 'worse')
  t.is(verdictOf(around(401)), 'same')
  t.is(verdictOf([200, 300, 900, 410, 800, 390]), 'unclear')
  const { ratio } = compare(a, { ...a, values: around(150) }, 0.05)
  t.true(ratio !== null && Math.abs(ratio.estimate - 0.375) < 0.01 && ratio.low < 0.375 && ratio.high > 0.375)
})

test('with one run each nothing is proven, and it is said what it takes', t => {
  const one: Runs = { quantity: 'p99', values: [400], unit: 'file', parts: 1 }
  const comparison = compare(one, { ...one, values: [100] }, 0.05)
  t.is(comparison.ratio, null)
  t.is(comparison.verdict, 'unclear')
  const text = formatComparison(comparison, 40)
  t.regex(
    text.replaceAll('\n', ' '),
    /Nothing can be proven with one run on a side: .* It takes 4 of each at least\./,
  )
  t.true(text.split('\n').every(line => line.length <= 40))
})

test('what has no ratio, or is something else, is refused', t => {
  const runs: Runs = { quantity: 'p99', values: [1, 2, 3, 4], unit: 'file', parts: 4 }
  t.throws(() => compare(runs, { ...runs, values: [0, 1] }, 0.05), { message: /has no ratio/ })
  t.throws(() => compare(runs, { ...runs, quantity: 'value' }, 0.05), { message: /can't be compared/ })
})

test('what was taken as one run is said where it may not be what was meant', t => {
  const named: Runs = { quantity: 'value', values: around(400), unit: 'name', parts: 8 }
  const one: Runs = { quantity: 'value', values: [400], unit: 'session', parts: 300 }
  const textOf = (a: Runs, b: Runs): string => formatComparison(compare(a, b, 0.05), 80).replaceAll('\n', ' ')
  t.regex(textOf(one, named), /Nothing can be proven .* A: all 300 documents are of one run/)
  t.notRegex(textOf(one, named), /put a name before it/)
  t.regex(
    textOf(named, { ...one, unit: 'text' }),
    /B: all 300 numbers are of one run; .* own, put a name before it, .* \(nl FILE\)\./,
  )
  t.notRegex(textOf(named, named), /are of one run/)
})

test('of too many runs to hold, it says so at once', t => {
  const values = Array.from({ length: 3000 }, (_, index) => index + 1)
  const many: Runs = { quantity: 'value', values, unit: 'session', parts: 3000 }
  t.throws(() => compare(many, many, 0.05), { instanceOf: MeasurementError, message: /too many to compare/ })
})
