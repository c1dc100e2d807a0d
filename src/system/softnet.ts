import { join } from 'node:path'
import { readText } from './files.js'

/**
 * What a CPU has done with packets that came in since boot: how often its budget for them was used up, and how often another
 * CPU has asked it to take some over.
 */
export type Softnet = { cpu: number; squeezed: number; handedOver: number }

/** Gives them by CPU: fields 3, 10 and 13 of /proc/net/softnet_stat (net/core/net-procfs.c), in hexadecimal. */
export const readSoftnet = (proc = '/proc'): Softnet[] =>
  (readText(join(proc, 'net/softnet_stat')) ?? '').split('\n').flatMap((line, row) => {
    const fields = line.split(/\s+/).map(field => Number.parseInt(field, 16))
    const [squeezed, handedOver] = [fields[2], fields[9]]
    return squeezed === undefined || handedOver === undefined
      ? []
      : { cpu: fields[12] ?? row, squeezed, handedOver }
  })
