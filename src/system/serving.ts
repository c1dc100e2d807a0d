import { listServices, type Service } from './services.js'
import { readStat } from './stat.js'
import { createTarget, type Target } from './target.js'

/** Who serves a target: the service to name, and all its processes. */
export type Serving = Pick<Target, 'service' | 'pids'>

/** As many refreshes as lie between two looks at most, where processes keep ending or none comes. */
const MOST_APART = 8

/**
 * Follows who serves a target when processes end: a service may start anew, and a server may replace those that work for it. What
 * it was given holds until others are found.
 */
export class ServingProcesses {
  readonly #target: Target
  readonly #list: () => Promise<Service[]>
  #serving: Serving
  #startTimes: ReadonlyMap<number, number>
  #apart = 1
  #left = 0

  /** Takes what lists the services of the target's protocol. */
  constructor(target: Target, list = () => listServices(target.service.protocol)) {
    this.#target = target
    this.#list = list
    this.#serving = target
    this.#startTimes = readStartTimes(target.pids)
  }

  /** Gives whom the last look found. */
  get serving(): Serving {
    return this.#serving
  }

  /**
   * To be called about once a second: looks for the processes again when one that was known is gone. That goes through all processes
   * of the machine, so it is done less and less often while there is always one that is gone.
   */
  async refresh(): Promise<void> {
    // Those of clients, and of sockets of the kernel's own, are not known.
    if (this.#serving.pids.length === 0) return
    if (this.#serving.pids.every(pid => this.#isAlive(pid))) {
      this.#apart = 1
      this.#left = 0
      return
    }
    if (--this.#left > 0) return
    this.#left = this.#apart
    this.#apart = Math.min(MOST_APART, 2 * this.#apart)
    const found = findServing(this.#target, this.#serving.service, await this.#list())
    if (found === null) return
    this.#serving = found
    this.#startTimes = readStartTimes(found.pids)
  }

  /** A number alone may be another process's by now. */
  #isAlive(pid: number): boolean {
    const startTime = readStartTime(pid)
    return startTime !== null && startTime === this.#startTimes.get(pid)
  }
}

/** Gives who serves the target's ports among all services; null when none has a process. */
const findServing = (
  { netns, ports }: Target,
  { port, protocol, comm }: Service,
  services: readonly Service[],
): Serving | null => {
  const there = services.filter(
    service =>
      service.netns === netns && service.protocol === protocol && ports.includes(service.port) && service.pid,
  )
  const service =
    there.find(each => each.port === port && each.comm === comm) ??
    there.find(each => each.port === port) ??
    there[0]
  return service === undefined ? null : createTarget(service, services, ports)
}

const readStartTimes = (pids: readonly number[]): Map<number, number> =>
  new Map(
    pids.flatMap((pid): [number, number][] => {
      const startTime = readStartTime(pid)
      return startTime === null ? [] : [[pid, startTime]]
    }),
  )

/** One that has ended, and that its parent has not waited for yet, has no memory any more: that is field 23. */
const readStartTime = (pid: number): number | null => {
  const stat = readStat(`/proc/${pid}/stat`)
  return stat === null || stat.field(23) === 0 ? null : stat.field(22)
}
