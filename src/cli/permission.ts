import { readFileSync } from 'node:fs'
import { EXIT, Failure } from './failure.js'

/** What loading probes, and finding a service's process, takes; bits from include/uapi/linux/capability.h. */
const NEEDED = [
  { name: 'CAP_BPF', bit: 39n },
  { name: 'CAP_PERFMON', bit: 38n },
  { name: 'CAP_SYS_PTRACE', bit: 19n },
  { name: 'CAP_DAC_READ_SEARCH', bit: 2n },
] as const
const CAP_SYS_ADMIN = 21n

/** Gives the capabilities that this process lacks for tracing; CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON. */
export const listMissingCapabilities = (status = readFileSync('/proc/self/status', 'utf8')): string[] => {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const has = (bit: bigint): boolean => ((effective >> bit) & 1n) === 1n
  return NEEDED.filter(
    ({ name, bit }) => !has(bit) && !(['CAP_BPF', 'CAP_PERFMON'].includes(name) && has(CAP_SYS_ADMIN)),
  ).map(({ name }) => name)
}

/** Throws a Failure with exit code 4 when this process may not trace. */
export const requirePermission = (): void => {
  const missing = listMissingCapabilities()
  if (missing.length === 0) return
  throw new Failure(
    `cannot trace: this process lacks ${missing.join(', ')} (try: sudo taut …)`,
    EXIT.forbidden,
  )
}
