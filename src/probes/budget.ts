/** What the probes find themselves is a little less than they take, and the next second may cost more than this one. */
const GIVE_WAY = 0.9
/** More is followed when the probes are to stay below this part of their room, and so much more at once. */
const ROOM_TO_RAISE = 0.65
const [SMALLEST_RAISE, LARGEST_RAISE] = [1.25, 4]
/** After a step down the probes are to take this part of their room, as far as depth has a part in it. */
const AIM = 0.75
const LARGEST_DROP = 0.25
/** So many costs in a row have to leave room, so that one quiet second between busy ones raises nothing. */
const COSTS_TO_RAISE = 3
/** Below this, following requests costs more in probes than it tells; from nothing, it begins here again. */
const SMALLEST_SHARE = 1 / 64
/** So many costs contain taut's own start, when much runs for the first time: that is over when it is known, and takes no room. */
const STARTING = 5
/** So many costs are looked at for what is done now and then, and costs much in that second. */
const AROUND = 6
/** This part of the limit the probes have even where taut itself leaves less: giving up depth would not help. */
const LEAST_ROOM = 0.1

/** What measuring costs, as a share of all CPUs' time. */
export type Cost = {
  /** The probes that measure requests, whose part grows with depth. */
  probes: number
  /** All: also this process, and what other probes took. */
  machine: number
}

/** By less than a quarter more or less. */
const isNear = (cost: number, other: number): boolean =>
  cost < other * SMALLEST_RAISE && other < cost * SMALLEST_RAISE

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)] ?? 0

/**
 * Decides which share of the connections is followed in depth, so that measuring stays within its budget.
 *
 * Depth bounds the probes alone: they have the room that all else leaves below the limit, by the median of the last costs, as a
 * moment's work of taut itself is over when it is known. What the probes cost grows with the share, but not from nothing: so a step up
 * raises that by as much at most, and it is only taken where that leaves a third of the room, by the last costs. The first step, from
 * nothing, can be a larger one: if it was too much, it is not taken again before following nothing costs a quarter more or less. A
 * steady load therefore ends in a steady share. Probes that take nine tenths of their room are answered at once.
 */
export class Budget {
  /** What measuring may cost, as a share of all CPUs' time. */
  readonly limit: number
  #share = 1
  /** What the probes took since the share was changed. */
  #recent: number[] = []
  #count = 0
  /** The last costs: all, and all but the probes. */
  #machine: number[] = []
  #others: number[] = []
  /** What the probes took when following nothing, before the last step from there, and before the last that was too much. */
  #nothing = 0
  #nothingBefore: number | null = null

  constructor(limit: number) {
    this.limit = limit
  }

  /** The share of the connections that are followed in depth, from 0 to 1. */
  get share(): number {
    return this.#share
  }

  /** Takes what measuring has cost in the last second or so; gives the share from here on. */
  next({ probes, machine }: Cost): number {
    this.#recent = [...this.#recent, probes].slice(-COSTS_TO_RAISE)
    this.#machine = [...this.#machine, machine].slice(-AROUND)
    if (++this.#count > STARTING) this.#others = [...this.#others, machine - probes].slice(-COSTS_TO_RAISE)
    if (probes > this.#room(GIVE_WAY)) {
      if (this.#share === SMALLEST_SHARE) this.#nothingBefore = this.#nothing
      this.#change(this.#share * Math.max(LARGEST_DROP, this.#room(AIM) / probes))
    } else if (this.#share < 1 && this.#recent.length === COSTS_TO_RAISE)
      this.#raise(Math.max(...this.#recent))
    return this.#share
  }

  /** Whether there is room for what costs much now and then: all is followed, and half of the limit has been free. */
  get hasMuchRoom(): boolean {
    const sum = this.#machine.reduce((total, cost) => total + cost, 0)
    return this.#share === 1 && this.#count > 0 && sum / this.#machine.length < this.limit / 2
  }

  /** What the probes may take, that all together takes this part of the limit. */
  #room(part: number): number {
    return Math.max(LEAST_ROOM * part * this.limit, part * this.limit - median(this.#others))
  }

  #raise(probes: number): void {
    const times = this.#room(ROOM_TO_RAISE) / probes
    if (times <= SMALLEST_RAISE) return
    if (this.#share > 0) {
      this.#change(Math.min(1, this.#share * Math.min(LARGEST_RAISE, times)))
    } else if (this.#nothingBefore === null || !isNear(probes, this.#nothingBefore)) {
      this.#nothing = probes
      this.#change(SMALLEST_SHARE)
    }
  }

  #change(share: number): void {
    this.#share = share < SMALLEST_SHARE ? 0 : share
    this.#recent = []
  }
}
