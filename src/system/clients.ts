import { printable } from '../text/printable.js'
import { readCgroupPids, readUnits, toUnitName } from './cgroups.js'
import { listNumbered } from './files.js'
import { readNamedNetns } from './named-netns.js'
import { readNetns } from './services.js'
import { readStat } from './stat.js'
import type { Target, TargetOptions } from './target.js'
import { TargetError } from './target-error.js'

/** Whose requests are meant: of processes for which all that is given holds. */
export type ClientProcesses = Pick<TargetOptions, 'pid' | 'comm' | 'cgroup' | 'unit'>

/** What was asked for on the command line: what is sent to a TCP port, of one address or of any, by all or by some processes. */
export type ClientOptions = ClientProcesses & { port: number; host?: string; netns?: string }

/** As many processes as can be chosen: so much room the map in bpf/clients.h is given. */
export const MAX_CLIENTS = 32_768

/**
 * Gives the target of the requests that are sent to a TCP port out of a network namespace, our own when none is named. Throws
 * TargetError when there is none of the name, or no process of those that are meant.
 */
export const createClientTarget = ({ port, host, netns, ...processes }: ClientOptions): Target => {
  const inode = netns === undefined ? (readNetns('self') ?? 0) : readNamedNetns(netns)
  const isChosen = Object.keys(processes).length > 0
  const pids = isChosen ? requireClients(processes) : []
  const comms = new Set(pids.map(readComm))
  const service = {
    port,
    protocol: 'tcp' as const,
    addresses: host === undefined ? [] : [host],
    netns: inode,
    pids,
    pid: pids.length === 1 ? (pids[0] ?? null) : null,
    comm: comms.size === 1 ? ([...comms][0] ?? null) : null,
  }
  return {
    role: 'client',
    ports: [port],
    netns: inode,
    pids,
    service,
    ...(host !== undefined && { host }),
    ...(isChosen && { clients: processes }),
  }
}

/** Gives the processes that are meant and there now: none when what names them is gone. */
export const listClients = (processes: ClientProcesses): number[] => {
  try {
    return findClients(processes)
  } catch (error) {
    if (error instanceof TargetError) return []
    throw error
  }
}

const requireClients = (processes: ClientProcesses): number[] => {
  const pids = findClients(processes)
  const named = describeClients(processes)
  if (pids.length === 0)
    throw new TargetError(`there is no ${named}; start it first, or look with: ps -e -o pid,comm,cgroup`)
  if (pids.length > MAX_CLIENTS)
    throw new TargetError(
      `${pids.length} processes are too many for one measurement, which takes ${MAX_CLIENTS}: every ${named}; choose fewer`,
    )
  return pids
}

const findClients = ({ pid, comm, cgroup, unit }: ClientProcesses): number[] => {
  const inCgroup = cgroup === undefined ? null : readCgroupPids(cgroup)
  const name = unit === undefined ? null : toUnitName(unit)
  const candidates = pid === undefined ? [...(inCgroup ?? listNumbered('/proc'))] : [pid]
  return candidates.filter(
    candidate =>
      (inCgroup?.has(candidate) ?? true) &&
      (name === null || readUnits(candidate).has(name)) &&
      (comm === undefined ? readComm(candidate) !== null : readComm(candidate) === comm),
  )
}

const describeClients = ({ pid, comm, cgroup, unit }: ClientProcesses): string =>
  [
    pid === undefined ? 'process' : `process ${pid}`,
    comm !== undefined && `with the name ${printable(comm)}`,
    cgroup !== undefined && `in cgroup ${printable(cgroup)}`,
    unit !== undefined && `of unit ${printable(unit)}`,
  ]
    .filter(text => text !== false)
    .join(' ')

/** Null when it has ended. */
const readComm = (pid: number): string | null => {
  const comm = readStat(`/proc/${pid}/stat`)?.comm
  return comm === undefined ? null : printable(comm)
}
