import { median } from '../statistics/summary.js'

/** What the probes find themselves is a little less than they take, and the next second may cost more than this one. */
const GIVE_WAY = 0.9
/** After a step down the probes are to take this part of their room, as far as depth has a part in it. */
const AIM = 0.75
const LARGEST_DROP = 0.25
/** No step up fills more of their room than this. */
const ROOM_TO_RAISE = 0.65
const RAISE = 1.25
/** So many costs in a row have to leave room, so that one quiet second between busy ones raises nothing. */
const COSTS_TO_RAISE = 3
/** Below this, following requests costs more in probes than it tells; from nothing, it begins here again. */
const SMALLEST_SHARE = 1 / 64
/** After a first step from nothing that was too much, no other one for so many costs; then only where nothing costs anything else. */
const COSTS_TO_RETRY = 60
/** After so many also where it costs the same. */
const COSTS_TO_FORGET = 600
/** So many costs may be of taut's own start, when much runs for the first time. */
const STARTING = 8
/** So many costs are looked at for what is done now and then, and costs much in that second. */
const AROUND = 6
/** This part of the limit the probes may take where taut itself leaves less: without them it would take all that for nothing. */
const LEAST_ROOM = 0.1

/** What measuring costs, as a share of all CPUs' time. */
export type Cost = {
  /** The probes that measure requests, whose part grows with depth. */
  probes: number
  /** All: also this process, and what other probes took. */
  machine: number
}

/** A first step from nothing: what nothing cost before, and the number of the cost that it was too much by. */
type Failure = { nothing: number; at: number }

/** By less than a quarter more or less. */
const isNear = (cost: number, other: number): boolean => cost < other * RAISE && other < cost * RAISE

/**
 * Decides which share of the connections is followed in depth, so that measuring stays within its budget.
 *
 * Depth bounds the probes alone: their room is what all else leaves below the limit, by the median of the last three costs, and at
 * first by the least, as a moment's work of taut itself is over when it is known. What the probes cost grows with the share, but
 * not from nothing: so a step up of a quarter raises that by a quarter at most, and it is only taken where that leaves a third of the
 * room, by the highest of the last costs. The first step, from nothing, can be a larger one: if it was too much, it is not taken
 * again before following nothing costs a quarter more or less. A steady load therefore ends in a steady share. Probes that take nine
 * tenths of their room are answered at once.
 */
export class Budget {
  /** What measuring may cost, as a share of all CPUs' time. */
  readonly limit: number
  #share = 1
  #count = 0
  /** What the probes took since the share was changed. */
  #probes: number[] = []
  /** The last costs: all, and all but the probes; and the least of those. */
  #machine: number[] = []
  #others: number[] = []
  #leastOther = Number.POSITIVE_INFINITY
  /** What the probes took before the step from nothing that was the last change; null after any other. */
  #nothing: number | null = null
  #failure: Failure | null = null

  constructor(limit: number) {
    this.limit = limit
  }

  /** The share of the connections that are followed in depth, from 0 to 1. */
  get share(): number {
    return this.#share
  }

  /** Whether there is room for what costs much now and then: all is followed, and half of the limit was free in the mean. */
  get hasMuchRoom(): boolean {
    const sum = this.#machine.reduce((total, cost) => total + cost, 0)
    return this.#share === 1 && sum / this.#machine.length < this.limit / 2
  }

  /** Takes what measuring has cost in the last second or so; gives the share from here on. */
  next({ probes, machine }: Cost): number {
    const other = machine - probes
    this.#count++
    this.#probes = [...this.#probes, probes].slice(-COSTS_TO_RAISE)
    this.#machine = [...this.#machine, machine].slice(-AROUND)
    this.#others = [...this.#others, other].slice(-COSTS_TO_RAISE)
    this.#leastOther = Math.min(this.#leastOther, other)
    const room = this.#roomBeside(this.#count > STARTING ? median(this.#others) : this.#leastOther)
    if (probes > GIVE_WAY * room) {
      if (this.#nothing !== null) this.#failure = { nothing: this.#nothing, at: this.#count }
      this.#change(this.#share * Math.max(LARGEST_DROP, (AIM * room) / probes))
    } else if (this.#share < 1 && this.#mayRaise()) {
      const nothing = this.#share === 0 ? Math.max(...this.#probes) : null
      this.#change(Math.max(SMALLEST_SHARE, Math.min(1, this.#share * RAISE)))
      this.#nothing = nothing
    }
    return this.#share
  }

  #roomBeside(others: number): number {
    return Math.max(LEAST_ROOM * this.limit, this.limit - others)
  }

  #mayRaise(): boolean {
    const most = Math.max(...this.#probes)
    const room = this.#roomBeside(Math.max(...this.#others))
    if (this.#probes.length < COSTS_TO_RAISE || most * RAISE > ROOM_TO_RAISE * room) return false
    if (this.#share > 0 || this.#failure === null) return true
    const since = this.#count - this.#failure.at
    return since > COSTS_TO_FORGET || (since > COSTS_TO_RETRY && !isNear(most, this.#failure.nothing))
  }

  #change(share: number): void {
    this.#share = share < SMALLEST_SHARE ? 0 : share
    this.#nothing = null
    this.#probes = []
  }
}
