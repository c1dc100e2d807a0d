import { readFileSync } from 'node:fs'
import test from 'ava'
import { type Curve, plotPower, readTable, replaceTable, tabulatePower } from '../../bench/power-report.js'

const docs = (name: string): string => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8')

const CURVES: Curve[] = [
  {
    noise: 0.05,
    points: [
      { gain: 0, kept: 0 },
      { gain: 10, kept: 65 },
      { gain: 50, kept: 100 },
    ],
  },
  {
    noise: 0.6,
    points: [
      { gain: 0, kept: 1 },
      { gain: 10, kept: 2 },
      { gain: 50, kept: 97 },
    ],
  },
]

test('a table takes the place of the one between the marks, and reads back', t => {
  const page = docs('statistics.md')
  const other = replaceTable(page, tabulatePower(CURVES))
  t.deepEqual(readTable(other), CURVES)
  t.is(replaceTable(other, tabulatePower(readTable(page))), page)
  t.throws(() => replaceTable('no marks', ''), { message: /has no table between/ })
})

test('a plot has each point at its place, and labels that do not lie on each other', t => {
  const svg = plotPower(CURVES)
  t.true(svg.includes('points="56,304 148.8,122 520,24"'), svg)
  t.true(svg.includes('points="56,301.2 148.8,298.4 520,32.4"'), svg)
  const labels = Array.from(svg.matchAll(/y="([\d.]+)" fill="#\w+">noise ([\d.]+)</g), ([, y, noise]) => [
    Number(noise),
    Number(y),
  ])
  t.deepEqual(labels, [
    [0.05, 20.4],
    [0.6, 36.4],
  ])
})

test('the plot that comes with the documentation is that of its table', t => {
  t.is(docs('power.svg'), plotPower(readTable(docs('statistics.md'))))
})
