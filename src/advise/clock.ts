import { type CpuTimes, readCpuTimes } from '../system/cpu-times.js'
import { type Frequency, readFrequencies } from '../system/frequencies.js'

const STEP_MS = 250

/**
 * Begins to look at the CPUs' frequencies four times a second; gives what ends it and gives their mean while the CPUs were busy, as
 * a share of the highest that they may have. Null where the machine does not tell.
 */
export const watchClock = (): (() => number | null) => {
  const clock = new ClockMean()
  let last = readCpuTimes()
  const sample = (): void => {
    const now = readCpuTimes()
    clock.add(last, now, readFrequencies())
    last = now
  }
  if (readFrequencies().length === 0) return () => null
  const timer = setInterval(sample, STEP_MS).unref()
  return () => {
    clearInterval(timer)
    sample()
    return clock.share
  }
}

/** The mean of frequencies, each weighted by how long its CPUs were busy: what an idle CPU has as its clock delays nobody. */
export class ClockMean {
  #busy = 0
  #sum = 0

  /** Takes in the frequencies at the end of a time between two readings. */
  add(before: readonly CpuTimes[], after: readonly CpuTimes[], frequencies: readonly Frequency[]): void {
    for (const { cpus, khz, maxKhz } of frequencies) {
      if (khz === null || maxKhz === null || maxKhz === 0) continue
      const busy = sumBusy(after, cpus) - sumBusy(before, cpus)
      if (busy <= 0) continue
      this.#busy += busy
      // Above the highest is a boost that the limit does not name.
      this.#sum += busy * Math.min(1, khz / maxKhz)
    }
  }

  /** The share of the highest frequency; null when no CPU was busy, or nothing tells. */
  get share(): number | null {
    return this.#busy === 0 ? null : this.#sum / this.#busy
  }
}

const sumBusy = (times: readonly CpuTimes[], cpus: readonly number[]): number =>
  times.reduce((sum, { cpu, busy }) => (cpus.includes(cpu) ? sum + busy : sum), 0)
