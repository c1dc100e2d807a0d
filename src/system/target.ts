import { readdirSync, readFileSync, type Stats, statSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import type { Role } from '../latency/stages.js'
import { formatPort } from '../text/port.js'
import { printable } from '../text/printable.js'
import { readNetns, type Service } from './services.js'
import type { Protocol } from './sockets.js'

/** What was asked for on the command line; every one given must hold. */
export type TargetOptions = {
  port?: number
  /** TCP, or UDP where nothing of TCP is named, when it is absent. */
  protocol?: Protocol
  pid?: number
  comm?: string
  cgroup?: string
  unit?: string
  netns?: string
}

/**
 * What to measure: these ports of this network namespace. `pids` are all processes that hold a listening socket of
 * one of them, whatever their names; `service` is the one to name. Of clients the ports are those of the other side, and
 * nothing is known of the processes.
 */
export type Target = { role: Role; ports: number[]; netns: number; pids: number[]; service: Service }

/** The options name nothing that listens, or too much; the message says what, why and what to do. */
export class TargetError extends Error {
  override name = 'TargetError'
}

/** As many ports as the probes compare a packet with. */
export const MAX_PORTS = 4

const LISTED_SERVICES = 12
const NETNS_FOLDER = '/run/netns'
const CGROUP_ROOT = '/sys/fs/cgroup'

/**
 * Gives the one target that the options name among the services, or, without options, one target a service.
 *
 * All ports of what was named are taken together, up to four. A port that is taken in several network namespaces
 * means the one of our own. Throws TargetError, whose message names the services that are listed.
 */
export const resolveTarget = (
  options: TargetOptions,
  services: Service[],
  listed: Service[] = services,
): Target[] => {
  if (listed.length === 0) {
    const kind = (options.protocol ?? 'tcp').toUpperCase()
    throw new TargetError(`nothing listens on any ${kind} port here; start the service first`)
  }

  const filters = createFilters(options)
  if (filters.length === 0) return services.map(service => createTarget(service, services))

  const asked = describeOptions(options)
  const matches = preferOwnNetns(
    services.filter(service => filters.every(matchesService => matchesService(service))),
    options,
  )
  const [first] = matches
  if (first === undefined) {
    throw new TargetError(
      `nothing listens on ${asked}; listening: ${listNames(listed)}; choose one with --port`,
    )
  }

  if (matches.some(({ netns }) => netns !== first.netns)) {
    const places = matches.map(service => `${describeService(service)} in ${service.netns}`).join(', ')
    throw new TargetError(
      `several network namespaces have a service on ${asked}: ${places}; choose one with --netns or --pid`,
    )
  }

  const ports = [...new Set(matches.map(({ port }) => port))]
  const target = createTarget(first, services, ports)
  if (target.ports.length > MAX_PORTS) {
    throw new TargetError(
      `${target.ports.length} ports are too many for one measurement, which takes ${MAX_PORTS}: ${listNames(matches)} listen on ${asked}; choose one with --port`,
    )
  }

  return [target]
}

/** Gives the target of one service among all that listen: its port, or the ports given, and who listens there. */
export const createTarget = (
  service: Service,
  services: readonly Service[],
  ports = [service.port],
): Target => {
  const { netns, protocol } = service
  const sharers = services.filter(
    other => other.netns === netns && other.protocol === protocol && ports.includes(other.port),
  )
  const pids = [...new Set([service, ...sharers].flatMap(({ pids }) => pids))]
  return { role: 'server', ports, netns, pids, service }
}

/**
 * Gives the target of all requests that are sent to a TCP port, of whichever machine, out of a network namespace, our own when
 * none is named. Throws TargetError when there is none of the name.
 */
export const createClientTarget = (port: number, netnsName?: string): Target => {
  const netns = netnsName === undefined ? (readNetns('self') ?? 0) : readNamedNetns(netnsName)
  const service = { port, protocol: 'tcp' as const, addresses: [], netns, pids: [], pid: null, comm: null }
  return { role: 'client', ports: [port], netns, pids: [], service }
}

type Filter = (service: Service) => boolean

const createFilters = ({ port, pid, comm, cgroup, unit, netns }: TargetOptions): Filter[] => {
  const filters: Filter[] = []
  if (port !== undefined) filters.push(service => service.port === port)
  if (pid !== undefined) filters.push(matchPid(pid))
  if (comm !== undefined) filters.push(service => service.comm === comm)
  if (cgroup !== undefined) {
    const pids = readCgroupPids(cgroup)
    filters.push(service => service.pids.some(candidate => pids.has(candidate)))
  }
  if (unit !== undefined) filters.push(matchUnit(unit))
  if (netns !== undefined) {
    const inode = readNamedNetns(netns)
    filters.push(service => service.netns === inode)
  }
  return filters
}

const matchPid = (pid: number): Filter => {
  if (readStats(`/proc/${pid}`) === null) {
    throw new TargetError(`there is no process ${pid}; it may have ended, look with: ps -e`)
  }
  return service => service.pids.includes(pid)
}

const matchUnit = (unit: string): Filter => {
  const name = /\.(service|scope|slice|socket)$/.test(unit) ? unit : `${unit}.service`
  return service => service.pids.some(pid => readUnits(pid).has(name))
}

/** The parts of all cgroup paths of a process: systemd names a unit's cgroup after the unit. */
const readUnits = (pid: number): Set<string> => {
  try {
    // A line is hierarchy:controllers:path; the path may hold colons.
    const paths = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
    return new Set(paths.flatMap(line => line.split(':').slice(2).join(':').split('/')))
  } catch {
    // It ended since the services were listed.
    return new Set()
  }
}

/** Gives the processes of a cgroup and of those below it; a path may leave out the mount point. */
const readCgroupPids = (cgroup: string): Set<number> => {
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

/** Gives the inode of a network namespace named as `ip netns` does, by path, or by the inode itself. */
const readNamedNetns = (netns: string): number => {
  const path = isAbsolute(netns) ? netns : join(NETNS_FOLDER, netns)
  const isName = isAbsolute(netns) || (!netns.includes('/') && netns !== '..' && netns !== '.')
  const inode = isName ? readStats(path)?.ino : undefined
  if (inode !== undefined) return inode
  if (/^\d+$/.test(netns)) return Number(netns)
  const names = listNetnsNames()
  const known = names.length > 0 ? `; there are: ${names.map(printable).join(', ')}` : ''
  throw new TargetError(
    `there is no network namespace ${printable(netns)}${known}; give a name in ${NETNS_FOLDER}, a path such as /proc/PID/ns/net, or its inode`,
  )
}

/** Null when the path leads nowhere, for whatever reason. */
const readStats = (path: string): Stats | null => {
  try {
    return statSync(path)
  } catch {
    return null
  }
}

const listNetnsNames = (): string[] => {
  try {
    return readdirSync(NETNS_FOLDER)
  } catch {
    // No namespace was ever named.
    return []
  }
}

const preferOwnNetns = (matches: Service[], { port, netns }: TargetOptions): Service[] => {
  if (port === undefined || netns !== undefined) return matches
  const own = readNetns('self')
  const inOwn = matches.filter(service => service.netns === own)
  return inOwn.length > 0 ? inOwn : matches
}

const describeOptions = ({ port, protocol, pid, comm, cgroup, unit, netns }: TargetOptions): string => {
  const owner = [
    pid !== undefined && `process ${pid}`,
    comm !== undefined && `programs named ${printable(comm)}`,
    cgroup !== undefined && `cgroup ${printable(cgroup)}`,
    unit !== undefined && `unit ${printable(unit)}`,
    netns !== undefined && `network namespace ${printable(netns)}`,
  ].filter(text => text !== false)
  const udp = protocol === 'udp'
  const named = `${udp ? 'UDP ' : ''}port ${port}`
  return [port === undefined ? `a ${udp ? 'UDP' : 'TCP'} port` : named, ...owner].join(' of ')
}

/** Names a service as the option `--port` can, with its program. */
export const describeService = (service: Service): string =>
  `${service.comm || 'unknown process'} ${formatPort(service)}`

const listNames = (services: Service[]): string => {
  const names = [...new Set(services.map(describeService))]
  const more = names.length > LISTED_SERVICES ? `, and ${names.length - LISTED_SERVICES} more` : ''
  return names.slice(0, LISTED_SERVICES).join(', ') + more
}
