import { readFileSync } from 'node:fs'

/** Gives how many CPUs the kernel has room for: one more than the highest number any CPU can ever have. */
export const countPossibleCpus = (): number => {
  const list = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim()
  const last = /(\d+)$/.exec(list)?.[1]
  if (last === undefined) throw new Error(`/sys/devices/system/cpu/possible is no list of CPUs: ${list}`)
  return Number(last) + 1
}
