import { looksLikeClient, type PortRange } from './ephemeral-ports.js'
import type { Service } from './services.js'
import { createTarget, resolveTarget, type Target, TargetError, type TargetOptions } from './target.js'

/**
 * Gives the one target that the options name among services of both protocols: what TCP has by that name, or else UDP. Without
 * options it gives one target a service, but for those that look like clients: they have to be named. Throws TargetError.
 */
export const resolveCandidates = (
  options: TargetOptions,
  services: readonly Service[],
  ephemeral: PortRange | null,
): Target[] => {
  const tcp = services.filter(({ protocol }) => protocol === 'tcp')
  const udp = services.filter(({ protocol }) => protocol === 'udp')
  const servers = udp.filter(service => !looksLikeClient(service, ephemeral))
  const listed = [...tcp, ...servers]
  if (Object.keys(options).length === 0 && listed.length > 0)
    return listed.map(service => createTarget(service, services))
  try {
    return resolveTarget(options, tcp, listed)
  } catch (error) {
    // A service that only UDP knows by that name needs no more words.
    const found = findOfUdp({ ...options, protocol: 'udp' }, isNamed(options) ? udp : servers)
    if (found === null) throw error
    return found
  }
}

/** Whether it was said which service, and not only where. */
export const isNamed = ({ port, pid, comm, unit, cgroup }: TargetOptions): boolean =>
  [port, pid, comm, unit, cgroup].some(option => option !== undefined)

/** Gives the only one of TCP: beside it there is always something of UDP, and be it what got the machine its address. */
export const pickOnlyTcp = <Candidate extends { service: Service }>(
  candidates: readonly Candidate[],
): Candidate | null => {
  const [only, another] = candidates.filter(({ service }) => service.protocol === 'tcp')
  return only !== undefined && another === undefined ? only : null
}

const findOfUdp = (options: TargetOptions, services: Service[]): Target[] | null => {
  try {
    return resolveTarget(options, services)
  } catch (error) {
    if (error instanceof TargetError) return null
    throw error
  }
}
