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

const RECEIVE: Record<Arch, readonly number[]> = {
  // read, readv, accept, recvfrom, recvmsg, accept4, recvmmsg, io_uring_enter, splice
  x64: [0, 19, 43, 45, 47, 288, 299, 426, 275],
  // read, readv, splice, accept, recvfrom, accept4, recvmsg, recvmmsg, io_uring_enter
  arm64: [63, 65, 76, 202, 207, 242, 212, 243, 426],
  // read, readv, accept, recv, recvfrom, recvmsg, splice, recvmmsg, accept4, recvmmsg_time64, io_uring_enter
  arm: [3, 145, 285, 291, 292, 297, 340, 365, 366, 417, 426],
}

/** As many as the probes have a bit for, in bpf/thread.bpf.c. */
const MAX_SYSCALLS = 512

/** Gives the bit sets, by system call number, that the probes are specialised with; null on an architecture not known. */
export const listWaitSyscalls = (arch: string): { wait: bigint[]; multiplex: bigint[] } | null => {
  if (!isKnown(arch)) return null
  return {
    wait: toBits([...MULTIPLEX[arch], ...RECEIVE[arch]], MAX_SYSCALLS),
    multiplex: toBits(MULTIPLEX[arch], MAX_SYSCALLS),
  }
}

const isKnown = (arch: string): arch is Arch => arch in MULTIPLEX
