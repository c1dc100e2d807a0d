import { statSync } from 'node:fs'
import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { readCpuList, readText } from './files.js'

/** An interrupt: its number, the names of those that handle it, with commas between, and how often each CPU took it. */
export type Interrupt = { irq: number; name: string; counts: Map<number, number> }

/** The CPUs that an interrupt may go to, and those that it really goes to; null when the kernel doesn't tell those. */
export type Affinity = { wanted: number[]; effective: number[] | null }

/**
 * Gives the numbered interrupts of /proc/interrupts, thus not those between CPUs or of their timers.
 *
 * See show_interrupts() in the kernel's kernel/irq/proc.c.
 */
export const readInterrupts = (proc = '/proc'): Interrupt[] => {
  const [header = '', ...lines] = (readText(join(proc, 'interrupts')) ?? '').split('\n')
  // Only CPUs that are online have a column.
  const cpus = Array.from(header.matchAll(/\bCPU(\d{1,4})\b/g), match => Number(match[1]))
  return lines.flatMap(line => parseInterrupt(line, cpus) ?? [])
}

const parseInterrupt = (line: string, cpus: readonly number[]): Interrupt | null => {
  const irq = /^ *(\d{1,10}):/.exec(line)?.[1]
  if (irq === undefined) return null
  let rest = line.slice(line.indexOf(':') + 1)
  const counts = new Map<number, number>()
  for (const cpu of cpus) {
    const [match, count] = /^ +(\d{1,16})(?= |$)/.exec(rest) ?? []
    if (match === undefined) return null
    counts.set(cpu, Number(count))
    rest = rest.slice(match.length)
  }
  return { irq: Number(irq), name: printable(findName(rest)), counts }
}

/** Behind the chip and two spaces or more come the names, last on the line; a name may have single spaces within. */
const findName = (rest: string): string => {
  const [, ...parts] = rest.trimStart().split(/ {2,}/)
  const last = parts.at(-1)?.trim() ?? ''
  // Where nobody handles it the chip's own number of the interrupt can be last.
  return /^\d+$/.test(last) ? '' : last
}

/** Gives where an interrupt may go and really goes; null when there is no such interrupt, or none that can be moved. */
export const readAffinity = (irq: number, proc = '/proc'): Affinity | null => {
  const wanted = readCpuList(join(proc, `irq/${irq}/smp_affinity_list`))
  if (wanted === null || wanted.length === 0) return null
  return { wanted, effective: readEffectiveAffinity(irq, proc) }
}

/**
 * Tells whether an interrupt can be moved, as far as the kernel says without trying. Since Linux 6.12 its file can't be written
 * by anybody where it can't (register_irq_proc() of kernel/irq/proc.c); before, the file looks the same and only the
 * write fails, but an interrupt that goes where it is not wanted gives itself away.
 */
export const isMovable = (irq: number, proc = '/proc'): boolean => {
  const affinity = readAffinity(irq, proc)
  if (affinity === null || !isOffered(irq, proc)) return false
  const { wanted, effective } = affinity
  return effective === null || effective.some(cpu => wanted.includes(cpu))
}

/**
 * Tells the first of these alone: whether the kernel offers to move an interrupt. One that was moved goes where it went before until it
 * comes again.
 */
export const isOffered = (irq: number, proc = '/proc'): boolean => {
  // The mode and not access(2), for root may write to anything.
  const mode = statSync(join(proc, `irq/${irq}/smp_affinity_list`), { throwIfNoEntry: false })?.mode ?? 0
  return (mode & 0o200) !== 0
}

/** Gives the CPUs that an interrupt really goes to; null when the kernel doesn't tell. */
export const readEffectiveAffinity = (irq: number, proc = '/proc'): number[] | null => {
  const cpus = readCpuList(join(proc, `irq/${irq}/effective_affinity_list`))
  // An empty one is a driver of a chip that doesn't keep it, such as the RP1's of a Raspberry Pi 5.
  return cpus === null || cpus.length === 0 ? null : cpus
}
