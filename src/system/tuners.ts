import { basename, join } from 'node:path'
import { listNumbered, readText } from './files.js'
import { MAX_COMM } from './threads.js'

/** Programs that change what taut would, and what of it: the beginnings of the knobs' names. */
const REACH = {
  'ananicy-cpp': ['cpu.app_affinity'],
  'auto-cpufreq': ['cpu.governor', 'cpu.epp', 'cpu.min_freq'],
  bpftune: ['net.'],
  cpufreqd: ['cpu.governor', 'cpu.min_freq'],
  gamemoded: ['cpu.governor', 'cpu.app_affinity'],
  irqbalance: ['irq.'],
  numad: ['cpu.app_affinity'],
  ondemand: ['cpu.governor'],
  'power-profiles-daemon': ['cpu.governor', 'cpu.epp', 'cpu.min_freq'],
  'system76-power': ['cpu.governor', 'cpu.epp', 'cpu.min_freq'],
  thermald: ['cpu.governor', 'cpu.min_freq', 'cpu.idle_latency'],
  tlp: ['cpu.governor', 'cpu.epp', 'cpu.min_freq'],
  // Their profiles can set anything.
  tuned: [''],
  'tuned-ppd': [''],
} as const

const NAMES = Object.keys(REACH) as (keyof typeof REACH)[]

/** A program that runs and changes settings of this machine by itself. */
export type Tuner = { name: keyof typeof REACH; pid: number }

/** Tells whether a program is one that sets what a knob sets. */
export const reaches = ({ name }: Tuner, knob: string): boolean =>
  REACH[name].some(beginning => knob.startsWith(beginning))

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
