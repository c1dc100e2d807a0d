import { BpfError, enableRunStats, type Program } from 'libbpf-ts'

/**
 * Has the kernel time all BPF programs until it is disposed of. Null without CAP_SYS_ADMIN, which timing takes, while tracing
 * does without.
 */
export const allowTiming = (): Disposable | null => {
  try {
    return enableRunStats()
  } catch (error) {
    if (error instanceof BpfError && error.code === 'EPERM') return null
    throw error
  }
}

/** Gives for how long programs have run while they were timed, in nanoseconds. */
export const sumRunTime = (programs: readonly Program[]): number =>
  programs.reduce((sum, program) => sum + Number(program.info().runTimeNs), 0)
