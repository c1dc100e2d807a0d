import { readFileSync } from 'node:fs'

/** More than any kernel is built for (CONFIG_NR_CPUS). */
const MAX_CPUS = 8192

/** Gives the CPUs of a list in the kernel's form, `0-2,5`, in order. Throws a RangeError that names what is wrong. */
export const parseCpuList = (text: string): number[] => {
  const cpus = new Set<number>()
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part) ?? []
    const [from, to] = [Number(first), Number(last)]
    if (first === undefined || to < from || to >= MAX_CPUS)
      throw new RangeError(`'${text}' is no list of CPUs, such as 0-2,5`)
    for (let cpu = from; cpu <= to; cpu++) cpus.add(cpu)
  }
  return [...cpus].sort((a, b) => a - b)
}

/** Gives CPUs as a list in the kernel's form, `0-2,5`. */
export const formatCpuList = (cpus: readonly number[]): string => {
  const ranges: [number, number][] = []
  for (const cpu of [...new Set(cpus)].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === cpu - 1) last[1] = cpu
    else ranges.push([cpu, cpu])
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/** Gives CPUs as a mask in the kernel's form: hexadecimal, with a comma before each 32 bits. */
export const formatCpuMask = (cpus: readonly number[]): string => {
  const digits = cpus.reduce((mask, cpu) => mask | (1n << BigInt(cpu)), 0n).toString(16)
  return digits.replaceAll(/(?<=.)(?=(?:.{8})+$)/g, ',')
}

/** Gives the CPUs of a mask in the kernel's form, in order. Throws a RangeError that names what is wrong. */
export const parseCpuMask = (text: string): number[] => {
  if (!/^[0-9a-f]+(?:,[0-9a-f]{8})*$/i.test(text) || text.length > MAX_CPUS)
    throw new RangeError(`'${text}' is no mask of CPUs, such as 3`)
  const mask = BigInt(`0x${text.replaceAll(',', '')}`)
  return [...mask.toString(2)].toReversed().flatMap((bit, cpu) => (bit === '1' ? [cpu] : []))
}

/** Gives the CPUs that are online. Throws where there is no sysfs. */
export const listOnlineCpus = (sys = '/sys'): number[] =>
  parseCpuList(readFileSync(`${sys}/devices/system/cpu/online`, 'latin1').trim())
