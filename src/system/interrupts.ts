import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseCpuList } from './cpu-list.js'

/** A line of /proc/interrupts: the interrupt's number, who handles it, and how often each CPU has, by its number. */
export type Interrupt = { irq: number; name: string; counts: Map<number, number> }

/** Gives the numbered interrupts of /proc/interrupts (proc(5)), none where it can't be read. */
export const readInterrupts = (proc = '/proc'): Interrupt[] => {
  const [header = '', ...lines] = readText(join(proc, 'interrupts')).split('\n')
  // Only CPUs that are online have a column.
  const cpus = [...header.matchAll(/CPU(\d+)/g)].map(match => Number(match[1]))
  return lines.flatMap(line => {
    const [, irq, rest = ''] = /^ *(\d+):(.*)$/.exec(line) ?? []
    if (irq === undefined) return []
    const words = rest.trim().split(/\s+/)
    const counts = new Map(cpus.map((cpu, column) => [cpu, Number(words[column])]))
    return [{ irq: Number(irq), name: words.slice(cpus.length).join(' '), counts }]
  })
}

/** Gives the CPUs that an interrupt really goes to; null where the kernel does not tell. */
export const readEffectiveAffinity = (irq: number, proc = '/proc'): number[] | null => {
  const text = readText(join(proc, `irq/${irq}/effective_affinity_list`)).trim()
  return text === '' ? null : parseCpuList(text)
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
