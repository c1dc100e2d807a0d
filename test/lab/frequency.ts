import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Of the time, how much the processors are at work: 1200, 900 and 800 MHz of cpufreq.asl's. */
const AT_WORK: readonly number[] = [1, 3 / 4, 1 / 2]
/** Short beside what requests take there: what comes while the machine stands still must not find it at work as if nothing was. */
const PERIOD_MS = 4

/**
 * Gives an emulated machine the frequency that it asks for, which the last byte of a file tells: it stands still for so much of each
 * period, while its clock goes on. Ends with the machine.
 */
export const followFrequency = async (machine: ChildProcess, asked: string): Promise<void> => {
  while (machine.exitCode === null && machine.signalCode === null) {
    const atWork = AT_WORK[readFileSync(asked).at(-1) ?? 0] ?? 1
    await delay(atWork * PERIOD_MS)
    if (atWork === 1) continue
    machine.kill('SIGSTOP')
    await delay((1 - atWork) * PERIOD_MS)
    machine.kill('SIGCONT')
  }
}
