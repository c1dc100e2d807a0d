import { closeSync, openSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { BpfError, BpfObject, hasKernelBtf, probeIter, type TracepointKind } from 'libbpf-ts'
import type { Target } from '../system/target.js'
import { findMismatch, kernelArchitecture } from './architecture.js'
import { classifyRefusal } from './refusal.js'
import { UnsupportedError } from './unsupported.js'

/**
 * Where the probes get the kernel's types from: its own BTF, or a BTF file. With a file they do without all that only BTF in the
 * kernel gives: they are raw_tp programs, and keep their state in hashes.
 */
export type KernelTypes =
  | { kind: 'tp_btf' }
  | {
      kind: 'raw_tp'
      file: string
      /** Bytes from the begin of a thread's stack to its registers in a system call. */
      registersOffset: number
    }

/** The kind of program is the kind of tracepoint that it attaches to. */
export type ProbeKind = TracepointKind

/** What is wrong with a BTF file; the message says what to do as well. */
export class BtfFileError extends Error {
  override name = 'BtfFileError'
}

/** Where a BTF file comes from, for people. */
export const BTF_SOURCES =
  "--btf FILE with this very kernel's types, from BTFHub or from pahole --btf_encode_detached on its vmlinux with debug information"

/** A stack is this large at most (arm64 with pages of 64 KiB and KASAN). */
const MAX_STACK = 2 ** 18
const MAGIC_BTF = 0xeb9f
const MAGIC_ELF = 0x457f
/** By their numbers in bpf/kernel_types.bpf.c. */
const ARCHITECTURES = ['an unknown architecture', 'x64', 'arm64', 'arm']

/**
 * Gives where the types come from: the file if there is one, or else the kernel. Throws a BtfFileError when the file is not
 * this kernel's, an UnsupportedError when there is neither or this program is of another size than the kernel, and libbpf-ts's BpfError.
 */
export const findKernelTypes = (file?: string): KernelTypes => {
  const mismatch = findMismatch()
  if (mismatch !== null) throw new UnsupportedError(mismatch)
  if (file !== undefined) return { kind: 'raw_tp', file, registersOffset: checkFile(file) }
  if (!hasKernelBtf()) {
    throw new UnsupportedError(`the kernel has no BTF in ${OWN_BTF}; it takes ${BTF_SOURCES}`)
  }
  return { kind: 'tp_btf' }
}

/** Where the kernel has its own types. */
const OWN_BTF = '/sys/kernel/btf/vmlinux'

/**
 * Gives where the types for a target come from: clients take an iterator over a map, which some kernels with BTF refuse. Those
 * do as kernels without BTF do, at their price. Throws as findKernelTypes does.
 */
export const typesFor = ({ role }: Pick<Target, 'role'>, types: KernelTypes): KernelTypes =>
  role === 'client' && types.kind === 'tp_btf' && !probeIter('bpf_sk_storage_map').attachable
    ? findKernelTypes(OWN_BTF)
    : types

/** Opens one of the objects of probes, by its name, in the build for where the types come from; throws a BpfError. */
export const openProbes = (name: string, types: KernelTypes): BpfObject => {
  if (types.kind === 'tp_btf') return BpfObject.open(pathOf(name))
  const object = BpfObject.open(pathOf(`${name}-raw`), { btfPath: types.file })
  object.variables.get('registers_offset')?.set(types.registersOffset)
  return object
}

const pathOf = (name: string): string => fileURLToPath(new URL(`../../bpf/${name}.bpf.o`, import.meta.url))

/** Looks at a system call where the file says that things are. */
const checkFile = (file: string): number => {
  checkMagic(file)
  using object = openFor(file)
  object.program('look_at_call').attach().close() // closing it is a system call
  const read = (name: string): number => Number(object.variable(name).get())
  const architecture = ARCHITECTURES[read('architecture')] ?? ''
  const distance = read('distance')
  if (distance === 0)
    throw new UnsupportedError('no system call reached its tracepoint raw_syscalls/sys_enter')
  if (architecture !== kernelArchitecture()) {
    throw new BtfFileError(
      `${file} is of a kernel for ${architecture}, and this one is for ${kernelArchitecture()}`,
    )
  }
  if (!read('is_task_right') || !read('is_call_right') || distance < 0 || distance > MAX_STACK) {
    throw new BtfFileError(
      `${file} is of another kernel: what it says of threads is not so here; take one of the very kernel that runs (uname -r)`,
    )
  }
  return distance
}

const checkMagic = (file: string): void => {
  const start = new Uint8Array(2)
  try {
    const fd = openSync(file, 'r')
    try {
      readSync(fd, start)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BtfFileError(`cannot read the BTF file: ${reason}`, { cause: error })
  }
  const magic = new DataView(start.buffer).getUint16(0, true)
  if (magic !== MAGIC_BTF && magic !== MAGIC_ELF)
    throw new BtfFileError(`${file} is no BTF file (try ${BTF_SOURCES})`)
}

const openFor = (file: string): BpfObject => {
  const object = BpfObject.open(pathOf('kernel-types'), { btfPath: file })
  try {
    return object.load()
  } catch (error) {
    object.close()
    if (!(error instanceof BpfError) || classifyRefusal(error) !== 'unsupported') throw error
    throw new BtfFileError(
      `${file} does not tell what the probes need: ${error.message} (try ${BTF_SOURCES})`,
      {
        cause: error,
      },
    )
  }
}
