import { join } from 'node:path'
import { readText } from './files.js'

/** What a CPU has spent its time on since boot, in the kernel's ticks: `idle` with waiting for disks, `steal` by the hypervisor. */
export type CpuTimes = { cpu: number; busy: number; idle: number; softirq: number; steal: number }

/** Gives the times of every CPU that is online (proc_stat(5)). */
export const readCpuTimes = (proc = '/proc'): CpuTimes[] =>
  (readText(join(proc, 'stat')) ?? '').split('\n').flatMap(line => {
    const [, cpu, rest] = /^cpu(\d{1,4}) (.*)$/.exec(line) ?? []
    if (cpu === undefined || rest === undefined) return []
    const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] = rest
      .split(' ')
      .map(Number)
    return {
      cpu: Number(cpu),
      busy: user + nice + system + irq + softirq,
      idle: idle + iowait,
      softirq,
      steal,
    }
  })

/** A CPU's time between two readings, as shares of it. */
export type CpuShares = { cpu: number; busy: number; softirq: number; steal: number }

/** Gives what each CPU spent its time on between two readings; of a CPU that came or went meanwhile nothing. */
export const sharesBetween = (before: readonly CpuTimes[], after: readonly CpuTimes[]): CpuShares[] =>
  after.flatMap(end => {
    const begin = before.find(({ cpu }) => cpu === end.cpu)
    if (begin === undefined) return []
    const [busy, idle, steal] = [end.busy - begin.busy, end.idle - begin.idle, end.steal - begin.steal]
    const all = busy + idle + steal
    if (all <= 0) return []
    return {
      cpu: end.cpu,
      busy: busy / all,
      softirq: (end.softirq - begin.softirq) / all,
      steal: steal / all,
    }
  })
