import { basename, join } from 'node:path'
import { listNumbered, readText } from './files.js'
import { MAX_COMM } from './threads.js'

/** Programs that change what taut would: interrupts' CPUs, frequencies, idle states, kernel settings, threads' CPUs. */
const NAMES = [
  'ananicy-cpp',
  'auto-cpufreq',
  'bpftune',
  'cpufreqd',
  'gamemoded',
  'irqbalance',
  'numad',
  'ondemand',
  'power-profiles-daemon',
  'system76-power',
  'thermald',
  'tlp',
  'tuned',
  'tuned-ppd',
] as const

/** A program that runs and changes settings of this machine by itself. */
export type Tuner = { name: (typeof NAMES)[number]; pid: number }

/** TuneD and others are scripts; their interpreter's options come before the script's path. */
const INTERPRETER = /^python[\d.]*$/
const MAX_OPTIONS = 8

/** Gives the programs at work that change settings of their own accord, in order of their processes. */
export const listTuners = (proc = '/proc'): Tuner[] =>
  listNumbered(proc).flatMap(pid => {
    const comm = readText(join(proc, `${pid}/comm`)) ?? ''
    const program = INTERPRETER.test(comm) ? findScript(pid, proc) : comm
    const name = NAMES.find(name => name === program || name.slice(0, MAX_COMM) === program)
    return name === undefined ? [] : { name, pid }
  })

const findScript = (pid: number, proc: string): string => {
  const [, ...args] = (readText(join(proc, `${pid}/cmdline`)) ?? '').split('\0').slice(0, MAX_OPTIONS)
  return basename(args.find(arg => !arg.startsWith('-')) ?? '')
}
