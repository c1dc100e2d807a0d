import type { Role } from '../latency/stages.js'
import { formatPort } from '../text/port.js'
import { printable } from '../text/printable.js'
import { readCgroupPids, readUnits, toUnitName } from './cgroups.js'
import type { ClientProcesses } from './clients.js'
import { readStats } from './file-stats.js'
import { readNamedNetns } from './named-netns.js'
import { readNetns, type Service } from './services.js'
import type { Protocol } from './sockets.js'
import { TargetError } from './target-error.js'

export { TargetError } from './target-error.js'

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
 * one of them, whatever their names; `service` is the one to name. Of clients the ports are those of the other side, `host` is
 * its address, where only what is sent to that counts, and `clients` says which processes are meant, where not all are: `pids`
 * are those of them that there were.
 */
export type Target = {
  role: Role
  ports: number[]
  netns: number
  pids: number[]
  service: Service
  host?: string
  clients?: ClientProcesses
}

/** As many ports as the probes compare a packet with. */
export const MAX_PORTS = 4

const LISTED_SERVICES = 12

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
  const name = toUnitName(unit)
  return service => service.pids.some(pid => readUnits(pid).has(name))
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
