import { readFileSync, writeFileSync } from 'node:fs'
import { createRandom } from '../src/statistics/random.js'
import { type Curve, plotPower, replaceTable, tabulatePower } from './power-report.js'
import { type Effect, invent, simulate } from './simulated-machine.js'

/**
 * Measures how often tuning finds a setting that helps, by how much it helps and how noisy the machine is: of simulated runs of
 * three minutes with three settings that do nothing beside it. The noise is the standard deviation of the logarithm of a
 * slice's 99th percentile, with disturbances of up to 20 seconds on top. Writes docs/power.svg and the table in
 * docs/statistics.md, the same each time: every run has its own seed. Fails where more than one in a hundred keep what does nothing.
 */
const GAINS = [0, 3, 5, 10, 15, 20, 30, 40, 50]
const NOISES = [0.05, 0.15, 0.3, 0.6]
const RUNS = 60

const nothing = (name: string): Effect => ({ name, p99: 1 })

/** Of all runs, those that kept what does nothing, beside what helps or alone. */
let keptNothing = 0

/** Gives the percentage of runs that keep what makes the 99th percentile so many percent less. */
const measurePower = async (gain: number, noise: number): Promise<number> => {
  let found = 0
  for (let run = 0; run < RUNS; run++) {
    const helps: Effect = { name: 'helps', p99: 1 - gain / 100 }
    const seed = run * 7919 + 1
    const { kept } = await simulate(seed, invent(createRandom(seed), { size: noise })).run([
      nothing('a'),
      helps,
      nothing('b'),
      nothing('c'),
    ])
    if (kept.includes(helps)) found++
    // Where it gains nothing, it does nothing either.
    if (kept.some(each => each !== helps || gain === 0)) keptNothing++
  }
  return Math.round((100 * found) / RUNS)
}

const curves: Curve[] = []
for (const noise of NOISES) {
  const points: Curve['points'] = []
  for (const gain of GAINS) points.push({ gain, kept: await measurePower(gain, noise) })
  curves.push({ noise, points })
  process.stdout.write(
    `noise ${noise}: ${points.map(({ gain, kept }) => `-${gain} % ${kept} %`).join(', ')}\n`,
  )
}

const runs = GAINS.length * NOISES.length * RUNS
process.stdout.write(`${keptNothing} of ${runs} runs kept what does nothing\n`)
if (keptNothing > runs / 100) process.exitCode = 1

const DOCS = new URL('../../docs/', import.meta.url)
writeFileSync(new URL('power.svg', DOCS), plotPower(curves))
const page = new URL('statistics.md', DOCS)
writeFileSync(page, replaceTable(readFileSync(page, 'utf8'), tabulatePower(curves)))
