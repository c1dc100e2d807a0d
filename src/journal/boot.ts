import { readFileSync } from 'node:fs'

/** Gives the id that the kernel made up for this boot (random(4)). */
export const readBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
