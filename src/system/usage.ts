import pidusage from 'pidusage'

/** CPU as a percentage of one core, and resident memory in bytes. */
export type Usage = { cpuPercent: number; rssBytes: number }

/** Reads what the processes used since the meter's last reading of them; null when none of them lives. */
export type UsageMeter = (pids: readonly number[]) => Promise<Usage | null>

type Reading = { cpuMs: number; ageMs: number }

/**
 * Gives a meter of processes' CPU and memory, summed over those that live.
 *
 * A process seen for the first time counts with its average since it started. The kernel counts CPU in ticks of
 * about 10 ms, so readings closer than a second are coarse.
 */
export const createUsageMeter = (): UsageMeter => {
  let last = new Map<number, Reading>()
  return async pids => {
    const stats = await readStats(pids)
    if (stats.length === 0) return null

    let cpuPercent = 0
    for (const { pid, ctime, elapsed } of stats) {
      const before = last.get(pid)
      // Younger than before: another process got the number.
      const since = before !== undefined && before.ageMs <= elapsed ? before : { cpuMs: 0, ageMs: 0 }
      const ms = elapsed - since.ageMs
      if (ms > 0) cpuPercent += (100 * (ctime - since.cpuMs)) / ms
    }
    last = new Map(stats.map(({ pid, ctime, elapsed }) => [pid, { cpuMs: ctime, ageMs: elapsed }]))
    return { cpuPercent, rssBytes: stats.reduce((sum, { memory }) => sum + memory, 0) }
  }
}

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
