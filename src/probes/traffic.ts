import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { BpfObject } from 'libbpf-ts'
import type { Service } from '../system/services.js'
import type { ServicePort } from './generated/traffic.js'

const OBJECT = fileURLToPath(new URL('../../bpf/traffic.bpf.o', import.meta.url))

/**
 * Counts for some milliseconds how often payload is read for each service, and gives reads a second in the order of the
 * services. Throws libbpf-ts's BpfError.
 */
export const measureTraffic = async (
  services: readonly Service[],
  milliseconds: number,
): Promise<number[]> => {
  using object = BpfObject.open(OBJECT)
  object.load()
  const reads = object.map<ServicePort, bigint>('reads')
  const keys = services.map(({ netns, port }) => ({ netns, port }))
  for (const key of keys.slice(0, reads.maxEntries)) reads.set(key, 0n)
  const link = object.program('count_read').attach()
  const start = performance.now()
  await setTimeout(milliseconds)
  link.close()
  const seconds = (performance.now() - start) / 1000
  return keys.map(key => Number(reads.get(key) ?? 0n) / seconds)
}
