import { createRandom } from '../src/statistics/random.js'
import { type Effect, invent, simulate } from './simulated-machine.js'

/**
 * Prints how often tuning finds a setting that helps, by how much it helps and how noisy the machine is: of simulated runs of
 * three minutes with three settings that do nothing beside it. The noise is the standard deviation of the logarithm of a
 * slice's 99th percentile, with disturbances of up to 20 seconds on top.
 */
const GAINS = [0, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5]
const NOISES = [0.05, 0.15, 0.3, 0.6]
const RUNS = 60
const WIDTH = 20

const nothing = (name: string): Effect => ({ name, p99: 1 })

const measurePower = async (gain: number, noise: number): Promise<number> => {
  let found = 0
  for (let run = 0; run < RUNS; run++) {
    const helps: Effect = { name: 'helps', p99: 1 - gain }
    const seed = run * 7919 + 1
    const { kept } = await simulate(seed, invent(createRandom(seed), { size: noise })).run([
      nothing('a'),
      helps,
      nothing('b'),
      nothing('c'),
    ])
    if (kept.includes(helps)) found++
  }
  return found / RUNS
}

const plot = (share: number): string => '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.')

process.stdout.write(`share of ${RUNS} runs that keep the setting\n`)
for (const noise of NOISES) {
  process.stdout.write(`\nnoise ${noise}\n`)
  for (const gain of GAINS) {
    const power = await measurePower(gain, noise)
    process.stdout.write(
      `  p99 ${String(gain * 100).padStart(2)} % less  ${plot(power)} ${Math.round(power * 100)} %\n`,
    )
  }
}
