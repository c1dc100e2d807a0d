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

/** Time that CPUs have had each frequency since boot, all together: in the kernel's ticks, and times the frequency in MHz. */
export type FrequencyTimes = { ticks: number; mhzTicks: number }

/** Gives it; null where the kernel does not keep it (Documentation/cpu-freq/cpufreq-stats.rst). */
export const readFrequencyTimes = (sys = '/sys'): FrequencyTimes | null => {
  const folder = join(sys, 'devices/system/cpu/cpufreq')
  const rows = listNumbered(folder, 'policy').flatMap(number =>
    (readText(join(folder, `policy${number}`, 'stats/time_in_state')) ?? '').split('\n').flatMap(line => {
      const [, khz, ticks] = /^(\d+) (\d+)$/.exec(line) ?? []
      return khz === undefined || ticks === undefined
        ? []
        : [{ mhz: Number(khz) / 1000, ticks: Number(ticks) }]
    }),
  )
  if (rows.length === 0) return null
  return {
    ticks: rows.reduce((sum, { ticks }) => sum + ticks, 0),
    mhzTicks: rows.reduce((sum, { mhz, ticks }) => sum + mhz * ticks, 0),
  }
}
