import pidusage from 'pidusage'

/**
 * CPU as a percentage of one core, and resident memory in bytes. The CPU is null where it is not known of all the time since the
 * last reading: one of the processes has ended, or was there then and not read.
 */
export type Usage = { cpuPercent: number | null; rssBytes: number }

/** Reads what the processes used since the meter's last reading, whichever they were then; null when none of them lives. */
export type UsageMeter = (pids: readonly number[]) => Promise<Usage | null>

type Reading = { cpuMs: number; ageMs: number }
type Readings = ReadonlyMap<number, Reading>

/** The kernel tells when a process began, and what it used, in ticks of about 10 ms. */
const TICKS_MS = 20

/**
 * Gives a meter of processes' CPU and memory, summed over those that live. The first reading gives their averages since they
 * started. Readings closer than a second are coarse: the kernel counts CPU in ticks.
 */
export const createUsageMeter = (): UsageMeter => {
  let last: { readings: Readings; atMs: number } | null = null
  return async pids => {
    const before = last
    const atMs = performance.now()
    const stats = await readStats(pids)
    const readings = new Map(stats.map(({ pid, ctime, elapsed }) => [pid, { cpuMs: ctime, ageMs: elapsed }]))
    last = { readings, atMs }
    if (stats.length === 0) return null

    const hasEnded = stats.length < pids.length
    return {
      cpuPercent: hasEnded
        ? null
        : sumPercents(readings, before?.readings ?? null, atMs - (before?.atMs ?? 0)),
      rssBytes: stats.reduce((sum, { memory }) => sum + memory, 0),
    }
  }
}

/** Gives null where the time of one of the processes, or of one that was there before, is not known. */
const sumPercents = (now: Readings, before: Readings | null, sinceMs: number): number | null => {
  if (before !== null && [...before.keys()].some(pid => !now.has(pid))) return null
  return [...now].reduce<number | null>((sum, [pid, { cpuMs, ageMs }]) => {
    const earlier = before === null ? { cpuMs: 0, ageMs: 0 } : before.get(pid)
    // Younger than before: another process got the number.
    if (sum === null || (earlier !== undefined && earlier.ageMs > ageMs)) return null
    if (earlier !== undefined) return sum + percentOf(cpuMs - earlier.cpuMs, ageMs - earlier.ageMs)
    return ageMs > sinceMs + TICKS_MS ? null : sum + percentOf(cpuMs, sinceMs)
  }, 0)
}

const percentOf = (cpuMs: number, ms: number): number => (ms > 0 ? (100 * cpuMs) / ms : 0)

const readStats = async (pids: readonly number[]): Promise<pidusage.Status[]> => {
  if (pids.length === 0) return []
  try {
    const stats: Record<string, pidusage.Status | null> = await pidusage([...pids])
    return Object.values(stats).filter(stat => stat !== null && stat !== undefined)
  } catch (error) {
    // For one process pidusage rejects, for several it leaves a gap.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return []
    throw error
  }
}
