import type { BpfObject } from 'libbpf-ts'

/** The probes of an object, which time themselves until this is disposed of. */
export type Timing = Disposable & {
  /** Gives what they have taken whenever they were timed, in nanoseconds. */
  read: () => number
}

/**
 * Has the probes of an object time themselves (bpf/own_time.h), each from its first instruction to its last: what calling them
 * takes the kernel is not in it, of which its own account of BPF programs contains the last part.
 */
export const timeProbes = (object: BpfObject): Timing => {
  const isTimed = object.variable('is_timed')
  const sums = object.map<number, bigint[]>('own_ns')
  isTimed.set(1)
  return {
    read: () => Number((sums.get(0) ?? []).reduce((sum, ns) => sum + ns, 0n)),
    [Symbol.dispose]: () => {
      if (!object.closed) isTimed.set(0)
    },
  }
}
