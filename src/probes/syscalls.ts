import { toBits } from './bits.js'

type Arch = 'x64' | 'arm64' | 'arm'

/**
 * System calls in which a thread waits for sockets: blocked in one of these it waits for requests, blocked in any
 * other it waits for something else. Numbers from the kernel's syscall tables (arch/x86/entry/syscalls/syscall_64.tbl,
 * include/uapi/asm-generic/unistd.h, arch/arm/tools/syscall.tbl).
 */
const MULTIPLEX: Record<Arch, readonly number[]> = {
  // poll, select, epoll_wait, pselect6, ppoll, epoll_pwait, epoll_pwait2
  x64: [7, 23, 232, 270, 271, 281, 441],
  // epoll_pwait, pselect6, ppoll, epoll_pwait2
  arm64: [22, 72, 73, 441],
  // select, poll, epoll_wait, pselect6, ppoll, epoll_pwait, pselect6_time64, ppoll_time64, epoll_pwait2
  arm: [142, 168, 252, 335, 336, 346, 413, 414, 441],
}

/** Calls that read what they waited for. */
const RECEIVE: Record<Arch, readonly number[]> = {
  // read, readv, recvfrom, recvmsg, splice, recvmmsg, io_uring_enter
  x64: [0, 19, 45, 47, 275, 299, 426],
  // read, readv, splice, recvfrom, recvmsg, recvmmsg, io_uring_enter
  arm64: [63, 65, 76, 207, 212, 243, 426],
  // read, readv, recv, recvfrom, recvmsg, splice, recvmmsg, recvmmsg_time64, io_uring_enter
  arm: [3, 145, 291, 292, 297, 340, 365, 417, 426],
}

/** Of these, calls that read several datagrams: recvmmsg, recvmmsg_time64. */
const BATCH: Record<Arch, readonly number[]> = { x64: [299], arm64: [243], arm: [365, 417] }

/** accept, accept4 */
const ACCEPT: Record<Arch, readonly number[]> = { x64: [43, 288], arm64: [202, 242], arm: [285, 366] }

/** As many as the probes have a bit for, in bpf/context.h. */
const MAX_SYSCALLS = 512

/** Gives the bit sets, by system call number, that the probes are specialised with; null on an architecture not known. */
export const listWaitSyscalls = (
  arch: string,
): { wait: bigint[]; receive: bigint[]; batch: bigint[]; multiplex: bigint[] } | null => {
  if (!isKnown(arch)) return null
  return {
    wait: toBits([...MULTIPLEX[arch], ...ACCEPT[arch], ...RECEIVE[arch]], MAX_SYSCALLS),
    receive: toBits(RECEIVE[arch], MAX_SYSCALLS),
    batch: toBits(BATCH[arch], MAX_SYSCALLS),
    multiplex: toBits(MULTIPLEX[arch], MAX_SYSCALLS),
  }
}

const isKnown = (arch: string): arch is Arch => arch in MULTIPLEX
