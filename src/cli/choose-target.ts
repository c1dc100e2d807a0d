import { measureTraffic } from '../probes/traffic.js'
import { listServices } from '../system/services.js'
import { resolveTarget, type Target, TargetError, type TargetOptions } from '../system/target.js'
import { Failure } from './failure.js'

const RANKING_MS = 500

/** Finds the target that the options name or, when they name none, the service with the most traffic right now. */
export const chooseTarget = async (options: TargetOptions): Promise<Target> => {
  const targets = await findTargets(options)
  const [first] = targets
  if (first !== undefined && targets.length === 1) return first
  const rates = await measureTraffic(
    targets.map(({ service }) => service),
    RANKING_MS,
  )
  const busiest = rates.indexOf(Math.max(...rates))
  const target = targets[busiest]
  if (target === undefined || !(rates[busiest] ?? 0)) {
    const names = targets.map(({ service }) => `${service.comm ?? 'unknown process'} ${service.port}`)
    throw new Failure(
      `no service has traffic to choose one by (try --port with one of: ${[...new Set(names)].join(', ')})`,
    )
  }
  const { comm, port } = target.service
  process.stderr.write(`taut: measuring ${comm ?? 'port'} ${port}, the service with the most traffic\n`)
  return target
}

/** Finds what the options name, or every service when they name none; throws a Failure that lists what listens. */
export const findTargets = async (options: TargetOptions): Promise<Target[]> => {
  try {
    return resolveTarget(options, await listServices(options.protocol))
  } catch (error) {
    const udp = isNamed(options) ? await findUdpTargets(options) : null
    if (udp !== null) return udp
    if (error instanceof TargetError) throw new Failure(error.message, undefined, { cause: error })
    throw error
  }
}

/** A service that only UDP knows by that name needs no more words. */
const isNamed = ({ protocol, port, pid, comm, unit, cgroup }: TargetOptions): boolean =>
  protocol === undefined && [port, pid, comm, unit, cgroup].some(option => option !== undefined)

const findUdpTargets = async (options: TargetOptions): Promise<Target[] | null> => {
  const udp: TargetOptions = { ...options, protocol: 'udp' }
  try {
    return resolveTarget(udp, await listServices('udp'))
  } catch (error) {
    if (error instanceof TargetError) return null
    throw error
  }
}
