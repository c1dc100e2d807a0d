import { machine } from 'node:os'

/** What kernels call machines, by Node's names for them. */
const NAMES: Readonly<Record<string, string>> = {
  x86_64: 'x64',
  aarch64: 'arm64',
  armv6l: 'arm',
  armv7l: 'arm',
  armv8l: 'arm',
  i586: 'ia32',
  i686: 'ia32',
}

/** Gives the kernel's architecture by Node's name for it. */
export const kernelArchitecture = (name = machine()): string => NAMES[name] ?? name

/**
 * Gives what is wrong where this is a program of 32 bits on a kernel of 64, null otherwise: the words that it shares with the
 * kernel, the positions in ring buffers for one, would be of two sizes.
 */
export const findMismatch = (arch: string = process.arch, name = machine()): string | null =>
  name in NAMES && kernelArchitecture(name) !== arch
    ? `Node.js here is for ${arch} and the kernel for ${kernelArchitecture(name)}: programs of 32 bits on a kernel of 64 are not supported; take a system or a Node.js of 64 bits`
    : null
