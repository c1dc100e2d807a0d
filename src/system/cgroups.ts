import { readdirSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { printable } from '../text/printable.js'
import { readStats } from './file-stats.js'
import { TargetError } from './target-error.js'

const CGROUP_ROOT = '/sys/fs/cgroup'

/** Gives a unit's full name: one without a kind is a service. */
export const toUnitName = (unit: string): string =>
  /\.(service|scope|slice|socket)$/.test(unit) ? unit : `${unit}.service`

/** The parts of all cgroup paths of a process: systemd names a unit's cgroup after the unit. */
export const readUnits = (pid: number): Set<string> => {
  try {
    // A line is hierarchy:controllers:path; the path may hold colons.
    const paths = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
    return new Set(paths.flatMap(line => line.split(':').slice(2).join(':').split('/')))
  } catch {
    // It ended since the services were listed.
    return new Set()
  }
}

/** Gives the processes of a cgroup and of those below it; a path may leave out the mount point. Throws TargetError. */
export const readCgroupPids = (cgroup: string): Set<number> => {
  const path = normalize(cgroup)
  const inside = path.startsWith(`${CGROUP_ROOT}/`) ? path.slice(CGROUP_ROOT.length) : path
  // Version 1 has a folder a controller, and version 2 beside it is mounted at `unified`.
  const places = ['', 'unified', 'systemd'].map(place => join(CGROUP_ROOT, place, inside))
  const folder = places.find(
    place => place.startsWith(`${CGROUP_ROOT}/`) && readStats(join(place, PROCS))?.isFile(),
  )
  if (folder === undefined) {
    throw new TargetError(
      `there is no cgroup ${printable(cgroup)} under ${CGROUP_ROOT}; look with: systemd-cgls or cat /proc/PID/cgroup`,
    )
  }
  return new Set(collectCgroupPids(folder))
}

const PROCS = 'cgroup.procs'

const collectCgroupPids = (folder: string): number[] => {
  try {
    const own = readFileSync(join(folder, PROCS), 'latin1').split('\n').filter(Boolean).map(Number)
    const below = readdirSync(folder, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .flatMap(entry => collectCgroupPids(join(folder, entry.name)))
    return [...own, ...below]
  } catch {
    // Removed meanwhile, or a threaded cgroup: those have their processes at the root of their tree.
    return []
  }
}
