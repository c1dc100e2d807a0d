import { join } from 'node:path'
import { parseCpuList } from './cpu-list.js'
import { listNumbered, readNatural, readText } from './files.js'

/** CPUs that have one frequency: what it is now, and what it may be, in kHz; null where the driver doesn't tell. */
export type Frequency = { cpus: number[]; khz: number | null; maxKhz: number | null; governor: string | null }

/** Gives them; none where the machine has no driver for frequencies (Documentation/admin-guide/pm/cpufreq.rst). */
export const readFrequencies = (sys = '/sys'): Frequency[] => {
  const folder = join(sys, 'devices/system/cpu/cpufreq')
  return listNumbered(folder, 'policy').map(number => {
    const file = (name: string): string => join(folder, `policy${number}`, name)
    const cpus = (readText(file('affected_cpus')) ?? '').replaceAll(' ', ',')
    return {
      cpus: /^[\d,]+$/.test(cpus) ? parseCpuList(cpus) : [],
      khz: readNatural(file('scaling_cur_freq')),
      maxKhz: readNatural(file('scaling_max_freq')),
      governor: readText(file('scaling_governor')),
    }
  })
}
