import { writeFileSync } from 'node:fs'
import { constants, getPriority, setPriority } from 'node:os'

/** What this process had before it gave way. */
let usual: number | null = null

/** Has this process give way to the service: what it reads late is not lost. */
export const giveWay = (): void => {
  usual ??= getPriority()
  setPriority(Math.max(usual, constants.priority.PRIORITY_BELOW_NORMAL))
}

/**
 * Gives a process, this one unless told, the share of the CPUs again that this one had before it gave way: beside a CPU that softirqs
 * and others fill, who gives way can wait for a minute. Where that is not allowed, it stays as it was (setpriority(2), RLIMIT_NICE).
 */
export const takeShare = (pid = 0): void => {
  if (usual === null) return
  try {
    setPriority(pid, usual)
  } catch {}
}

/** Three times the share of the usual group. */
const GROUP_NICE = -5

/**
 * Favours a process that has a session of its own, where the kernel shares CPUs out among sessions (autogroup, sched(7)): beside one
 * whose share changes all the time, such as that of a service between softirqs, a session that has just begun can get next
 * to nothing for minutes (seen on 6.18). Where there are no such groups, or that is not allowed, it stays as it was.
 */
export const favourSession = (pid: number): void => {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(GROUP_NICE))
  } catch {}
}
