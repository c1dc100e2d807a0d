import { constants } from 'node:os'
import util from 'node:util'

/** Errors that Node has no fitting words for: the kernel's own that reach user space, and libbpf's. */
const others: Readonly<Record<number, readonly [name: string, message: string]>> = {
  95: ['EOPNOTSUPP', 'operation not supported'],
  524: ['ENOTSUPP', 'operation is not supported by this kernel'],
  4000: ['LIBELF', 'something wrong in libelf'],
  4001: ['FORMAT', 'the BPF object has an invalid format'],
  4002: ['KVERSION', "the BPF object's version section is wrong"],
  4003: ['ENDIAN', 'the BPF object is for the other byte order'],
  4004: ['INTERNAL', 'internal error in libbpf'],
  4005: ['RELOC', 'a relocation failed'],
  4006: ['LOAD', 'the program was not loaded, for an unknown reason'],
  4007: ['VERIFY', 'the verifier refused the program'],
  4008: ['PROG2BIG', 'the program is too big'],
  4009: ['KVER', "the program's kernel version is wrong"],
  4010: ['PROGTYPE', 'this kernel has no such program type'],
  4011: ['WRNGPID', 'a netlink message has the wrong pid'],
  4012: ['INVSEQ', 'a netlink message is out of sequence'],
  4013: ['NLPARSE', 'a netlink message cannot be read'],
}

// Backwards, so that of two names for one number the first stays: EAGAIN, not EWOULDBLOCK.
const names = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, value]) => [value, name]),
)

/** Gives the name of a positive errno, as `EPERM`; `E4242` when it has none. */
export const getSystemErrorName = (errno: number): string =>
  others[errno]?.[0] ?? names.get(errno) ?? `E${errno}`

/** Gives what a positive errno means, in a few words. */
export const getSystemErrorMessage = (errno: number): string =>
  others[errno]?.[1] ?? util.getSystemErrorMap().get(-errno)?.[1] ?? 'unknown error'
