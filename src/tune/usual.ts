import { studentQuantile, unlikelyCount, unlikelyFew } from '../statistics/chance.js'
import { deviation, mean, median } from '../statistics/summary.js'
import { formatShare } from '../text/units.js'
import { REQUESTS_TO_TELL, type Requests, type SoFar } from './slice.js'

/** The throughput has collapsed below this share of the usual, and the p99 above so many times it. */
const COLLAPSED_THROUGHPUT = 0.8
const COLLAPSED_P99 = 3
/** What is beyond the 99th percentile. */
const BEYOND_P99 = 0.01
/** What is usual is that of so many slices lately: traffic changes in the course of a day. */
const LATELY = 16

/**
 * What the traffic is like without a candidate, and how far it differs from slice to slice by itself: what a collapse is told
 * from. docs/statistics.md has the rule.
 */
export class Usual {
  readonly #rates: number[] = []
  readonly #p99s: number[] = []
  readonly #lengths: number[] = []
  /** How long a slice is. */
  #seconds = 0
  /** Requests a second: what is usual, and what is too few by more than chance. */
  #rate = Number.NaN
  #leastRate = Number.NaN
  /** How many times the usual p99 is too long by more than chance, and how long that is; infinite while that is not known. */
  #times = Number.POSITIVE_INFINITY
  #longNs = Number.POSITIVE_INFINITY

  /** `falseAlarm` is how likely a slice may seem a collapse that is none. */
  constructor(
    slices: readonly Requests[],
    private readonly falseAlarm: number,
  ) {
    for (const slice of slices) this.add(slice)
  }

  /** Takes a whole slice without the candidate. */
  add({ requests, seconds, p99 }: Requests): void {
    keepLately(this.#lengths, seconds)
    // One that the machine held up is longer, and tells nothing of the next.
    this.#seconds = median(this.#lengths)
    keepLately(this.#rates, Math.log(Math.max(requests, 0.5) / seconds))
    this.#rate = Math.exp(mean(this.#rates))
    this.#leastRate = this.#rate * Math.min(COLLAPSED_THROUGHPUT, 1 / this.#spreadOf(this.#rates))
    if (requests < REQUESTS_TO_TELL) return
    keepLately(this.#p99s, Math.log(p99))
    this.#times = Math.max(COLLAPSED_P99, this.#spreadOf(this.#p99s))
    this.#longNs = Math.exp(mean(this.#p99s)) * this.#times
  }

  /**
   * Tells in what way the service has collapsed in a slice so far, if it is certain to have, though the rest of the slice were as
   * usual.
   */
  findCollapse(soFar: SoFar): string | null {
    const { requests, seconds, countSlower } = soFar
    const whole = Math.max(this.#seconds, seconds)
    const rest = this.#rate * (whole - seconds)
    if (requests + rest < unlikelyFew(this.#leastRate * whole, this.falseAlarm / 2))
      return `the throughput fell by ${formatShare(1 - requests / (this.#rate * seconds))}`
    if (this.#longNs === Number.POSITIVE_INFINITY) return null
    const slower = countSlower(this.#longNs)
    const all = Math.max(requests, Math.round(this.#rate * whole))
    return slower >= unlikelyCount(all, BEYOND_P99, this.falseAlarm / 2)
      ? `the p99 became more than ${this.#times.toFixed(this.#times < 10 ? 1 : 0)} times as long`
      : null
  }

  /** By what factor the next slice may differ from their mean by chance, to one side; infinite of fewer than two. */
  #spreadOf(logs: readonly number[]): number {
    const count = logs.length
    if (count < 2) return Number.POSITIVE_INFINITY
    const t = studentQuantile(this.falseAlarm / 2, count - 1)
    return Math.exp(t * deviation(logs) * Math.sqrt(1 + 1 / count))
  }
}

const keepLately = (values: number[], value: number): void => {
  values.push(value)
  if (values.length > LATELY) values.shift()
}
