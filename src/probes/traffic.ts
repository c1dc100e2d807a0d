import { setTimeout } from 'node:timers/promises'
import type { BpfObject } from 'libbpf-ts'
import type { Service } from '../system/services.js'
import type { ServicePort } from './generated/traffic.js'
import { type KernelTypes, openProbes } from './kernel-types.js'

/** Counts how often payload is read for each service, now and then. Closing frees the probe. */
export class TrafficMeter implements Disposable {
  readonly #object: BpfObject

  /** Loads the probe, which is not attached yet; throws libbpf-ts's BpfError. */
  constructor(types: KernelTypes) {
    this.#object = openProbes('traffic', types)
    try {
      this.#object.load()
    } catch (error) {
      this.#object.close()
      throw error
    }
  }

  /** Counts for some milliseconds, and gives reads a second in the order of the services. Throws BpfError. */
  async measure(services: readonly Service[], milliseconds: number): Promise<number[]> {
    const reads = this.#object.map<ServicePort, bigint>('reads')
    const keys = services.map(({ netns, port }) => ({ netns, port }))
    for (const old of [...reads.keys()]) reads.delete(old)
    for (const key of keys.slice(0, reads.maxEntries)) reads.set(key, 0n)
    const link = this.#object.program('count_read').attach()
    const start = performance.now()
    await setTimeout(milliseconds)
    link.close()
    const seconds = (performance.now() - start) / 1000
    return keys.map(key => Number(reads.get(key) ?? 0n) / seconds)
  }

  /** Harmless when done again. */
  close(): void {
    this.#object.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
