import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { build, HistogramLogWriter } from 'hdr-histogram-js'
import { formatComparison } from '../../src/cli/compare.js'
import { compare } from '../../src/compare/compare.js'
import { MeasurementError } from '../../src/compare/measurement.js'
import { readMeasurement } from '../../src/compare/read.js'
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

test('a number a line is the result of a run', t => {
  t.deepEqual(readMeasurement(write(t, '# p99\n415\n 402.5 \n\n1e2\n'), 'p99'), {
    quantity: 'value',
    values: [415, 402.5, 100],
  })
})

test('more numbers than anybody has runs are requests of one run', t => {
  const file = write(t, numbers(Array.from({ length: 1001 }, (_, index) => index + 1)))
  t.deepEqual(readMeasurement(file, 'p99'), { quantity: 'p99', values: [991] })
})

test('a run and a number a line: each run by its own quantile', t => {
  const file = write(t, 'one 1\ntwo 10\none 3\none 2\ntwo 30\n')
  t.deepEqual(readMeasurement(file, 'p50'), { quantity: 'p50', values: [2, 20] })
  t.deepEqual(readMeasurement(file, 'mean'), { quantity: 'mean', values: [2, 20] })
})

test('mutilate --save: one run, of which each line has a request', t => {
  const file = write(t, '0.000102 51.021576\n0.000160 60.081482\n0.000228 55.074692\n')
  t.deepEqual(readMeasurement(file, 'p50'), { quantity: 'p50_us', values: [55.074692] })
})

test('taut measure --json: a document a run; those of taut live --json are one run together', t => {
  const at = (seconds: number, p99: number): string => {
    const document = exampleDocument()
    const started_at = new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString()
    return JSON.stringify({ ...document, started_at, seconds: 5, total: { ...document.total, p99_us: p99 } })
  }
  const apart = write(t, [at(0, 400), at(60, 420), at(120, 410)].join('\n'))
  t.deepEqual(readMeasurement(apart, 'p99'), { quantity: 'p99_us', values: [400, 420, 410] })
  const together = write(t, `${[at(0, 400), at(5, 420), at(10, 410)].join('\n')}\n`)
  t.deepEqual(readMeasurement(together, 'p99'), { quantity: 'p99_us', values: [410] })
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
  const folder = createFolder(t)
  writeFileSync(join(folder, 'first.hlog'), log([100, 200, 300]))
  writeFileSync(join(folder, 'second.hlog'), log([1000]))
  t.deepEqual(readMeasurement(folder, 'p50'), { quantity: 'p50', values: [200, 1000] })
})

test('what is no measurement is refused, with its file and line', t => {
  for (const [text, message] of [
    ['1\n2\nthree\n', /file, line 3: it takes a number a line/],
    ['', /there is no number in it/],
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
  const a = { quantity: 'p99_us', values: around(400) }
  const verdictOf = (values: number[]): string => compare(a, { ...a, values }, 0.05).verdict
  t.is(verdictOf(around(150)), 'better')
  t.is(verdictOf(around(800)), 'worse')
  t.is(verdictOf(around(401)), 'same')
  t.is(verdictOf([200, 300, 900, 410, 800, 390]), 'unclear')
  const { ratio } = compare(a, { ...a, values: around(150) }, 0.05)
  t.true(ratio !== null && Math.abs(ratio.estimate - 0.375) < 0.01 && ratio.low < 0.375 && ratio.high > 0.375)
})

test('with one run each nothing is proven, and it is said what it takes', t => {
  const one = { quantity: 'p99', values: [400] }
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
  const runs = { quantity: 'p99', values: [1, 2, 3, 4] }
  t.throws(() => compare(runs, { ...runs, values: [0, 1] }, 0.05), { message: /has no ratio/ })
  t.throws(() => compare(runs, { ...runs, quantity: 'value' }, 0.05), { message: /can't be compared/ })
})
