import { existsSync, readdirSync } from 'node:fs'
import type { BpfMap } from 'libbpf-ts'

/**
 * Enters the threads that processes have now into a map of the probes by thread number, where no iterator does; those that it
 * knows already stay as they are. Processes that are gone have none. Throws libbpf-ts's BpfError, as E2BIG when the map is full.
 */
export const enterThreads = (map: BpfMap, pids: readonly number[]): void => {
  const zeros = new Uint8Array(map.valueStride)
  for (const pid of pids) {
    for (const tid of listThreads(pid)) {
      const key = new Uint8Array(new BigUint64Array([BigInt(tid)]).buffer)
      if (map.getBytes(key) === undefined) map.setBytes(key, zeros)
      // Its end may have come before its entry.
      if (!existsSync(`/proc/${pid}/task/${tid}`)) map.deleteBytes(key)
    }
  }
}

const listThreads = (pid: number): number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}
