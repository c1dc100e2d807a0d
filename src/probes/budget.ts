/** The cost has to stay below this part of the limit before more is followed: no step up reaches the limit by itself. */
const ROOM_TO_RAISE = 0.6
const RAISE = 1.25
/** After a step down the cost is to be this part of the limit, as far as depth has a part in it. */
const AIM = 0.8
const LARGEST_DROP = 0.25
/** So many costs in a row have to leave room, so that one quiet second between busy ones raises nothing. */
const COSTS_TO_RAISE = 3
/** Below this, following requests costs more in probes than it tells; from nothing, it begins here again. */
const SMALLEST_SHARE = 1 / 64

/** By less than a quarter more or less. */
const isNear = (cost: number, other: number): boolean => cost < other * RAISE && other < cost * RAISE

/**
 * Decides which share of the connections is followed in depth, so that measuring stays within its budget.
 *
 * What measuring costs grows with that share, but not from nothing: so a step up of a quarter raises the cost by a quarter at
 * most, and it is only taken while the last costs were below 60 % of the limit. The first step, from nothing, can be a larger one:
 * if it was too much, it is not taken again before following nothing costs a quarter more or less. A steady load therefore ends in a
 * steady share. A cost above the limit is answered at once.
 */
export class Budget {
  /** What measuring may cost, as a share of all CPUs' time. */
  readonly limit: number
  #share = 1
  #recent: number[] = []
  /** What following nothing cost before the last step from there, and before the last that was too much. */
  #nothing = 0
  #nothingBefore: number | null = null

  constructor(limit: number) {
    this.limit = limit
  }

  /** The share of the connections that are followed in depth, from 0 to 1. */
  get share(): number {
    return this.#share
  }

  /** Takes what measuring has cost in the last second or so, as a share of all CPUs' time; gives the share from here on. */
  next(cost: number): number {
    this.#recent = [...this.#recent, cost].slice(-COSTS_TO_RAISE)
    if (cost > this.limit) {
      if (this.#share === SMALLEST_SHARE) this.#nothingBefore = this.#nothing
      this.#change(this.#share * Math.max(LARGEST_DROP, (AIM * this.limit) / cost))
    } else if (this.#share < 1 && this.#hasRoom()) {
      if (this.#share === 0) this.#nothing = cost
      this.#change(Math.max(SMALLEST_SHARE, Math.min(1, this.#share * RAISE)))
    }
    return this.#share
  }

  #hasRoom(): boolean {
    const most = Math.max(...this.#recent)
    if (this.#share === 0 && this.#nothingBefore !== null && isNear(most, this.#nothingBefore)) return false
    return this.#recent.length === COSTS_TO_RAISE && most < ROOM_TO_RAISE * this.limit
  }

  #change(share: number): void {
    this.#share = share < SMALLEST_SHARE ? 0 : share
    this.#recent = []
  }
}
