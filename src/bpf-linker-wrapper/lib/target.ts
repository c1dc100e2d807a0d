import { endianness } from 'node:os'

/** The byte orders that an object can be built for. */
export type Target = 'bpfel' | 'bpfeb'

/** Gives the target for kernels with this machine's byte order. */
export const hostTarget = (): Target => (endianness() === 'LE' ? 'bpfel' : 'bpfeb')

// As the kernel names them, for the register layouts in bpf_tracing.h.
const kernelNames: Partial<Record<NodeJS.Architecture, string>> = {
  arm: 'arm',
  arm64: 'arm64',
  loong64: 'loongarch',
  mips: 'mips',
  mipsel: 'mips',
  ppc64: 'powerpc',
  riscv64: 'riscv',
  s390x: 's390',
  x64: 'x86',
}

/** Gives the kernel's name of a processor architecture as Node names it. */
export const kernelNameOf = (arch: NodeJS.Architecture): string => kernelNames[arch] ?? arch
