import { existsSync, readdirSync } from 'node:fs'
import { BpfError, type BpfMap } from 'libbpf-ts'

/**
 * Enters the threads that processes have now into a map of the probes by thread number, where no iterator does; those that it
 * knows already stay as they are. Processes that are gone have none. Threads beyond the map's room are left to the probes, which
 * count what they have no room for either. Throws libbpf-ts's BpfError.
 */
export const enterThreads = (map: BpfMap, pids: readonly number[]): void => {
  const zeros = new Uint8Array(map.valueStride)
  try {
    for (const pid of pids) {
      for (const tid of listThreads(pid)) {
        const key = new Uint8Array(new BigUint64Array([BigInt(tid)]).buffer)
        if (map.getBytes(key) === undefined) map.setBytes(key, zeros)
        // Its end may have come before its entry.
        if (!existsSync(`/proc/${pid}/task/${tid}`)) map.deleteBytes(key)
      }
    }
  } catch (error) {
    if (!(error instanceof BpfError) || error.code !== 'E2BIG') throw error
  }
}

const listThreads = (pid: number): number[] => {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}
