import { constants, setPriority } from 'node:os'

/** Has this process give way to the service: what it reads late is not lost. */
export const giveWay = (): void => setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

/**
 * Gives a process, this one unless told, its usual share of the CPUs again: beside a CPU that softirqs and others fill, who gives way
 * can wait for a minute. Where that is not allowed, it stays as it was (setpriority(2), RLIMIT_NICE).
 */
export const takeShare = (pid = 0): void => {
  try {
    setPriority(pid, constants.priority.PRIORITY_NORMAL)
  } catch {}
}
