/** The highest number of a CPU: kernels are built for 8192 at most (NR_CPUS of x86 and arm64). */
const MAX_CPU = 8191
/** Masks are written in groups of 32 bits with commas between, the highest first. */
const GROUP_BITS = 32
const DIGIT_BITS = 4

/** Gives the CPUs of a list such as `0-2,5`, in order and each once; throws a RangeError that names what is wrong. */
export const parseCpuList = (text: string): number[] => {
  if (text.trim() === '') throw new RangeError('an empty list names no CPU; a list is written as 0-2,5')
  return order(text.split(',').flatMap(parseRange))
}

const parseRange = (range: string): number[] => {
  const [, low, high = low] = /^(\d+)(?:-(\d+))?$/.exec(range.trim()) ?? []
  if (low === undefined || high === undefined) {
    throw new RangeError(`${quote(range)} is no CPU or range of CPUs; a list is written as 0-2,5`)
  }
  const [first, last] = [Number(low), Number(high)]
  checkCpu(last)
  if (first > last) throw new RangeError(`the range of CPUs ${quote(range)} ends before it begins`)
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}

/**
 * Gives the shortest list of these CPUs, such as `0-2,5`, as the kernel writes it; throws a RangeError for what is
 * none.
 */
export const formatCpuList = (cpus: readonly number[]): string => {
  const ranges: { first: number; last: number }[] = []
  for (const cpu of order(cpus)) {
    checkCpu(cpu)
    const range = ranges.at(-1)
    if (range !== undefined && range.last === cpu - 1) range.last = cpu
    else ranges.push({ first: cpu, last: cpu })
  }
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(',')
}

/**
 * Gives the CPUs of a mask such as `00000000,00000003`, hexadecimal with a comma between each 32 bits, in order;
 * throws a RangeError that names what is wrong.
 */
export const parseCpuMask = (text: string): number[] => {
  const groups = text.trim().split(',').reverse()
  if (groups.length > (MAX_CPU + 1) / GROUP_BITS) {
    throw new RangeError(
      `a mask of ${groups.length} groups of CPUs is too long; the highest CPU is ${MAX_CPU}`,
    )
  }
  return groups.flatMap((group, index) => {
    if (!/^[\da-f]{1,8}$/i.test(group)) {
      throw new RangeError(`${quote(group)} is no mask of CPUs; one is written as f or 00000000,00000003`)
    }
    const bits = Number.parseInt(group, 16)
    return Array.from({ length: GROUP_BITS }, (_, bit) => bit)
      .filter(bit => (bits >>> bit) & 1)
      .map(bit => index * GROUP_BITS + bit)
  })
}

/**
 * Gives the mask of these CPUs as the kernel writes it, of which rps_cpus is an example: as many digits as a machine
 * of `cpuCount` CPUs needs, with a comma between each 32 bits. Throws a RangeError for a CPU that such a machine
 * hasn't.
 *
 * See bitmap_string() in the kernel's lib/vsprintf.c. Without `cpuCount` it is as short as can be.
 */
export const formatCpuMask = (cpus: readonly number[], cpuCount?: number): string => {
  for (const cpu of cpus) checkCpu(cpu)
  const highest = Math.max(0, ...cpus)
  const count = cpuCount ?? highest + 1
  if (highest >= count) throw new RangeError(`there is no CPU ${highest} among ${count}`)

  const groups = Array.from({ length: Math.ceil(count / GROUP_BITS) }, () => 0)
  for (const cpu of new Set(cpus)) {
    const index = Math.floor(cpu / GROUP_BITS)
    groups[index] = (groups[index] ?? 0) + 2 ** (cpu % GROUP_BITS)
  }
  const digits = groups.map((group, index) => {
    const bits = Math.min(GROUP_BITS, count - index * GROUP_BITS)
    return group.toString(16).padStart(Math.ceil(bits / DIGIT_BITS), '0')
  })
  return digits.reverse().join(',')
}

const checkCpu = (cpu: number): void => {
  if (!Number.isInteger(cpu) || cpu < 0 || cpu > MAX_CPU) {
    throw new RangeError(`there is no CPU ${cpu}; CPUs are numbered 0 to ${MAX_CPU}`)
  }
}

const order = (cpus: readonly number[]): number[] => [...new Set(cpus)].sort((a, b) => a - b)

/** What is wrong may be long, and hold anything. */
const quote = (text: string): string => JSON.stringify(text.slice(0, 40))
