import { join } from 'node:path'
import { readText } from './files.js'

/** What a CPU has done with packets that came in since boot: taken from devices, and how often its budget was used up. */
export type Softnet = { cpu: number; processed: number; squeezed: number }

/** Gives them by CPU: fields 1, 3 and 13 of /proc/net/softnet_stat (net/core/net-procfs.c), in hexadecimal. */
export const readSoftnet = (proc = '/proc'): Softnet[] =>
  (readText(join(proc, 'net/softnet_stat')) ?? '').split('\n').flatMap((line, row) => {
    const fields = line.split(/\s+/).map(field => Number.parseInt(field, 16))
    const [processed, , squeezed] = fields
    return processed === undefined || squeezed === undefined || Number.isNaN(processed)
      ? []
      : { cpu: fields[12] ?? row, processed, squeezed }
  })
