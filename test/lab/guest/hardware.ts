import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { NIC, read } from './settings.js'

const run = promisify(execFile)

/** Gives all CPUs a governor. */
export const setGovernor = async (governor: string): Promise<void> => {
  for (const policy of readdirSync('/sys/devices/system/cpu/cpufreq').filter(name => /^policy/.test(name)))
    await writeFile(`/sys/devices/system/cpu/cpufreq/${policy}/scaling_governor`, governor)
}

/** Has the card wait for so long before it interrupts again. */
export const setCoalescing = async (us: number): Promise<void> => {
  await run('ethtool', ['-C', NIC, 'rx-usecs', String(us)])
}

/** Has the card interrupt one CPU. */
export const moveInterrupts = async (cpu: number): Promise<void> => {
  for (const [, irq] of (await read('/proc/interrupts')).matchAll(new RegExp(`^ *(\\d+):.* ${NIC}`, 'gm')))
    await writeFile(`/proc/irq/${irq}/smp_affinity_list`, String(cpu))
}

/** Sets all of it as is right for a service on CPU 1. */
export const setRight = async (): Promise<void> => {
  await setGovernor('performance')
  await setCoalescing(10)
  await moveInterrupts(0)
}
