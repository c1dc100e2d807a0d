import type { KernelTypes } from '../probes/kernel-types.js'
import { TrafficMeter } from '../probes/traffic.js'
import { isNamed, pickOnlyTcp, resolveCandidates } from '../system/candidates.js'
import { type ClientOptions, createClientTarget } from '../system/clients.js'
import { readEphemeralPorts } from '../system/ephemeral-ports.js'
import { countReceived } from '../system/received.js'
import { listServices, type Service } from '../system/services.js'
import {
  describeService,
  resolveTarget,
  type Target,
  TargetError,
  type TargetOptions,
} from '../system/target.js'
import { formatPort } from '../text/port.js'
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
  const measured = await (types === null
    ? countReceived(services, RANKING_MS)
    : measureReads(services, types))
  const rates = measured.map(rate => rate ?? 0)
  const busiest = rates.indexOf(Math.max(...rates))
  const target = targets[busiest]
  if (target !== undefined && rates[busiest]) {
    say(target, 'the service with the most traffic')
    return target
  }
  const onlyTcp = pickOnlyTcp(targets)
  if (onlyTcp !== null) {
    say(onlyTcp, 'the only service of TCP')
    return onlyTcp
  }
  const names = services.map(describeService)
  throw new Failure(
    `no service has traffic to choose one by (try --port with one of: ${[...new Set(names)].join(', ')})`,
  )
}

const measureReads = async (services: readonly Service[], types: KernelTypes): Promise<(number | null)[]> => {
  using meter = new TrafficMeter(types)
  return await meter.measure(services, RANKING_MS)
}

const say = ({ service }: Target, which: string): void => {
  process.stderr.write(`taut: chose ${service.comm ?? 'port'} ${formatPort(service)}, ${which}\n`)
}

/** Finds what the options name, or every service when they name none; throws a Failure that lists what listens. */
export const findTargets = async (options: TargetOptions): Promise<Target[]> => {
  const { protocol } = options
  try {
    return protocol === undefined
      ? resolveCandidates(options, await listServices('tcp', 'udp'), readEphemeralPorts())
      : resolveTarget(options, await listServices(protocol))
  } catch (error) {
    if (error instanceof TargetError) throw new Failure(error.message, undefined, { cause: error })
    throw error
  }
}

/** Gives the target of the requests that are sent to a port; throws a Failure when there is nobody of those who are meant. */
export const findClientTarget = (options: ClientOptions): Target => {
  try {
    return createClientTarget(options)
  } catch (error) {
    if (error instanceof TargetError) throw new Failure(error.message, undefined, { cause: error })
    throw error
  }
}
