import type { KernelTypes } from '../probes/kernel-types.js'
import { TrafficMeter } from '../probes/traffic.js'
import { countReceived } from '../system/received.js'
import { listServices, type Service } from '../system/services.js'
import {
  createClientTarget,
  resolveTarget,
  type Target,
  TargetError,
  type TargetOptions,
} from '../system/target.js'
import { Failure } from './failure.js'

const RANKING_MS = 500

/**
 * Finds the target that the options name or, when they name none, the service with the most traffic right now: by a probe or,
 * without the kernel's types, by what the kernel itself counts of connections. Throws a Failure when there is none.
 */
export const chooseTarget = async (options: TargetOptions, types: KernelTypes | null): Promise<Target> => {
  const targets = await findTargets(options)
  const [first] = targets
  if (first !== undefined && targets.length === 1) {
    if (!isNamed(options)) say(first, 'the only service')
    return first
  }
  const services = targets.map(({ service }) => service)
  const rates = await (types === null ? countReceived(services, RANKING_MS) : measureReads(services, types))
  const busiest = rates.indexOf(Math.max(...rates))
  const target = targets[busiest]
  if (target === undefined || !(rates[busiest] ?? 0)) {
    const names = targets.map(({ service }) => `${service.comm ?? 'unknown process'} ${service.port}`)
    throw new Failure(
      `no service has traffic to choose one by (try --port with one of: ${[...new Set(names)].join(', ')})`,
    )
  }
  say(target, 'the service with the most traffic')
  return target
}

const measureReads = async (services: readonly Service[], types: KernelTypes): Promise<number[]> => {
  using meter = new TrafficMeter(types)
  return await meter.measure(services, RANKING_MS)
}

const say = ({ service: { comm, port } }: Target, which: string): void => {
  process.stderr.write(`taut: chose ${comm ?? 'port'} ${port}, ${which}\n`)
}

/** Finds what the options name, or every service when they name none; throws a Failure that lists what listens. */
export const findTargets = async (options: TargetOptions): Promise<Target[]> => {
  try {
    return resolveTarget(options, await listServices(options.protocol))
  } catch (error) {
    // A service that only UDP knows by that name needs no more words.
    const udp = options.protocol === undefined && isNamed(options) ? await findUdpTargets(options) : null
    if (udp !== null) return udp
    if (error instanceof TargetError) throw new Failure(error.message, undefined, { cause: error })
    throw error
  }
}

/** Gives the target of the requests that are sent to a port; throws a Failure when there is no such network namespace. */
export const findClientTarget = (port: number, netns?: string): Target => {
  try {
    return createClientTarget(port, netns)
  } catch (error) {
    if (error instanceof TargetError) throw new Failure(error.message, undefined, { cause: error })
    throw error
  }
}

/** Whether it was said which service, and not only where. */
const isNamed = ({ port, pid, comm, unit, cgroup }: TargetOptions): boolean =>
  [port, pid, comm, unit, cgroup].some(option => option !== undefined)

const findUdpTargets = async (options: TargetOptions): Promise<Target[] | null> => {
  const udp: TargetOptions = { ...options, protocol: 'udp' }
  try {
    return resolveTarget(udp, await listServices('udp'))
  } catch (error) {
    if (error instanceof TargetError) return null
    throw error
  }
}
