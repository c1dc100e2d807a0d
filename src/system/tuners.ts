import { readdirSync, readFileSync } from 'node:fs'

/** Programs that change settings of the machine by themselves: by the name of the process, or of the script it runs. */
const NAMES = [
  'irqbalance',
  'tuned',
  'power-profiles-daemon',
  'thermald',
  'tlp',
  'bpftune',
  'cpufreqd',
  'ondemand',
]

/** A program at work that may change what taut has set. */
export type Tuner = { name: string; pid: number }

/** Gives the programs at work that change settings, by process. */
export const listTuners = (proc = '/proc'): Tuner[] =>
  readdirSync(proc)
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      const words = readText(`${proc}/${pid}/cmdline`).split('\0').slice(0, 2)
      const name = words.map(word => word.slice(word.lastIndexOf('/') + 1)).find(word => NAMES.includes(word))
      return name === undefined ? [] : [{ name, pid: Number(pid) }]
    })

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
