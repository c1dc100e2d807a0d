import { existsSync } from 'node:fs'
import { getSystemErrorMessage, getSystemErrorName } from './errno.js'
import { BpfError } from './error.js'
import { native } from './native.js'

/** How a program sees a tracepoint: `tp_btf` with typed arguments, `raw_tp` with numbers. */
export type TracepointKind = 'tp_btf' | 'raw_tp'

/** Whether something attaches; if not, why. */
export interface AttachProbe {
  readonly attachable: boolean
  /** The refusal's errno by name, as `ENOENT`. */
  readonly code?: string
  /** Why not, in words. */
  readonly reason?: string
}

/** What this kernel takes, by the names of libbpf. */
export interface Features {
  readonly kernelBtf: boolean
  readonly programTypes: Readonly<Record<string, boolean>>
  readonly mapTypes: Readonly<Record<string, boolean>>
}

/** The version of libbpf that runs. */
export const libbpfVersion: string = native.libbpfVersion

const numberOf = (names: readonly string[], name: unknown, argument: string): number => {
  if (typeof name !== 'string') {
    throw new TypeError(`${argument} must be a string`)
  }

  const index = names.indexOf(name)
  if (index === -1) {
    throw new RangeError(`${argument} ${JSON.stringify(name)} is not known, there are: ${names.join(', ')}`)
  }

  return index
}

/** Gives the number of CPUs that there can be: as many values has a per-CPU map. */
export const possibleCpus = (): number => native.possibleCpus()

/** Tells whether the kernel comes with its types, which `tp_btf`, iterators and relocation need. */
export const hasKernelBtf = (): boolean => existsSync('/sys/kernel/btf/vmlinux')

/**
 * Tells whether a program of a type, as `xdp`, loads. Throws a RangeError for an unknown type, a BpfError when there
 * is no telling.
 */
export const probeProgramType = (type: string): boolean =>
  native.probeProgramType(numberOf(native.programTypes(), type, 'type'))

/** Tells whether a map of a type, as `ringbuf`, can be made; throws like `probeProgramType`. */
export const probeMapType = (type: string): boolean =>
  native.probeMapType(numberOf(native.mapTypes(), type, 'type'))

/**
 * Tells whether programs of a type may call a helper, as `ktime_get_ns`. Throws like `probeProgramType`, and a
 * BpfError where programs of that type don't load at all: ext, lsm and struct_ops need a target.
 */
export const probeHelper = (type: string, helper: string): boolean =>
  native.probeHelper(
    numberOf(native.programTypes(), type, 'type'),
    numberOf(native.helpers(), typeof helper === 'string' ? helper.replace(/^bpf_/, '') : helper, 'helper'),
  )

/** Loads and attaches an empty program to a tracepoint, takes it off again, and tells how that went. */
export const probeAttach = (tracepoint: string, kind: TracepointKind = 'tp_btf'): AttachProbe => {
  if (kind !== 'tp_btf' && kind !== 'raw_tp') {
    throw new TypeError(`kind must be 'tp_btf' or 'raw_tp'`)
  }

  const errno = native.probeTracepoint(tracepoint, kind === 'tp_btf')
  return describeProbe(errno, `tracepoint ${tracepoint}`, kind === 'tp_btf')
}

/**
 * Loads an empty iterator over a target, as `task` or `bpf_map_elem`, takes it off again, and tells how that went. Those over the
 * elements of a map are not attached, since there is none.
 */
export const probeIter = (target: string): AttachProbe =>
  describeProbe(native.probeIterator(target), `iterator over ${target}`, true)

const describeProbe = (errno: number, what: string, needsBtf: boolean): AttachProbe =>
  errno === 0
    ? { attachable: true }
    : { attachable: false, code: getSystemErrorName(errno), reason: explain(errno, what, needsBtf) }

const explain = (errno: number, what: string, needsBtf: boolean): string => {
  if (needsBtf && !hasKernelBtf()) {
    return 'the kernel has no BTF in /sys/kernel/btf/vmlinux'
  }

  const name = getSystemErrorName(errno)
  return name === 'ENOENT' || name === 'ESRCH'
    ? `the kernel has no ${what}`
    : `${getSystemErrorMessage(errno)} (${name})`
}

/** Tells whether an empty program attaches to a tracepoint. */
export const canAttachTracepoint = (tracepoint: string, kind: TracepointKind = 'tp_btf'): boolean =>
  probeAttach(tracepoint, kind).attachable

/** Tries every type of program and map that libbpf knows. */
export const probeFeatures = (): Features => {
  const tryAll = (names: readonly string[], probe: (type: number) => boolean) =>
    Object.fromEntries(names.map((name, type) => [name, type > 0 && probes(probe, type)]))
  return {
    kernelBtf: hasKernelBtf(),
    programTypes: tryAll(native.programTypes(), type => native.probeProgramType(type)),
    mapTypes: tryAll(native.mapTypes(), type => native.probeMapType(type)),
  }
}

/** A type that libbpf has no probe for counts as not there. */
const probes = (probe: (type: number) => boolean, type: number): boolean => {
  try {
    return probe(type)
  } catch (error) {
    if (error instanceof BpfError && error.code === 'EOPNOTSUPP') {
      return false
    }

    throw error
  }
}
