import { setTimeout } from 'node:timers/promises'
import type { BpfObject, Program } from 'libbpf-ts'
import type { Service } from '../system/services.js'
import type { Protocol } from '../system/sockets.js'
import type { ServicePort } from './generated/traffic.js'
import { type KernelTypes, openProbes } from './kernel-types.js'
import { loadOnly } from './specialise.js'
import { findObstacle } from './support.js'

/** As the kernel numbers them. */
const PROTOCOLS: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17 }
const UDP_POINT = 'sock/sock_recv_length'

/** Counts how often payload is read for each service, now and then. Closing frees the probes. */
export class TrafficMeter implements Disposable {
  readonly #object: BpfObject
  readonly #programs: ReadonlyMap<Protocol, Program>

  /** Loads the probes, which are not attached yet; that of UDP where the kernel has its point. Throws libbpf-ts's BpfError. */
  constructor(types: KernelTypes) {
    const hasUdp = findObstacle(UDP_POINT, types.kind) === null
    this.#object = openProbes('traffic', types)
    try {
      this.#programs = new Map<Protocol, Program>([
        ['tcp', this.#object.program('count_read')],
        ...(hasUdp ? [['udp', this.#object.program('count_datagram')] as const] : []),
      ])
      loadOnly(this.#object, [...this.#programs.values()])
    } catch (error) {
      this.#object.close()
      throw error
    }
  }

  /**
   * Counts for some milliseconds, and gives reads a second in the order of the services; null of those that could not be counted:
   * UDP's on older kernels, and those beyond the probes' room. Throws BpfError.
   */
  async measure(services: readonly Service[], milliseconds: number): Promise<(number | null)[]> {
    const reads = this.#object.map<ServicePort, bigint>('reads')
    for (const old of [...reads.keys()]) reads.delete(old)
    const counted = services.filter(({ protocol }) => this.#programs.has(protocol))
    for (const service of counted.slice(0, reads.maxEntries)) reads.set(keyOf(service), 0n)
    const links = [...new Set(counted.map(({ protocol }) => protocol))].flatMap(
      protocol => this.#programs.get(protocol)?.attach() ?? [],
    )
    const start = performance.now()
    await setTimeout(milliseconds)
    for (const link of links) link.close()
    const seconds = (performance.now() - start) / 1000
    return services.map(service => {
      const count = reads.get(keyOf(service))
      return count === undefined ? null : Number(count) / seconds
    })
  }

  /** Harmless when done again. */
  close(): void {
    this.#object.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

const keyOf = ({ netns, port, protocol }: Service): ServicePort => ({
  netns,
  port,
  protocol: PROTOCOLS[protocol],
})
