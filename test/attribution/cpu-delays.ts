import { readFileSync } from 'node:fs'
import { type Injection, REQUESTS } from './injection.js'
import { attachDelays, startBursts, startHolding } from './programs.js'
import { startMemcachedOn } from './services.js'
import { type Machine, steerTo, WIRE } from './world.js'

/** How long the real-time task sleeps between two holds: it is back before the next request. */
const PAUSE_US = 1000

/** A request that is steered to a CPU whose real-time task is busy receiving something else. */
export const steer: Injection = {
  stage: 'steer',
  by: 'RPS to a CPU held by a SCHED_FIFO task',
  start: async (world, delayUs) => {
    await steerTo(world.server, world.serviceCpu)
    // The service runs beside the client: where packets are steered to it would wait for the real-time task as well.
    const service = await startMemcachedOn(world, world.clientCpu)
    const delay = await attachDelays(
      world,
      world.client,
      { port: service.port, delayUs },
      { program: 'note_request', hook: 'egress', device: WIRE },
      { program: 'hold_cpu', hook: 'ingress', device: 'lo' },
    )
    const task = await startHolding(world, { cpu: world.serviceCpu, pauseUs: PAUSE_US })
    const end = async (): Promise<number> => {
      await task.end()
      const { sumNs, times } = await delay.end()
      world.t.true(times > REQUESTS * MOST, `the CPU was held for ${times} of ${REQUESTS} requests`)
      await service.end()
      return Number(sumNs)
    }
    return { ...service, load: {}, end }
  },
}

/** Now and then a CPU is busy when it should sleep, or sleeps when it should be busy. */
const MOST = 0.9

/** An idle CPU that takes long to run again. */
export const idleExit: Injection = {
  stage: 'idle_exit',
  by: 'slow interrupt that wakes the idle CPU',
  findObstacle: () =>
    process.arch === 'x64' && /^(haltpoll|none)$/.test(readIdleDriver())
      ? null
      : 'needs an x86-64 whose idle CPUs are woken by an interrupt, as in a virtual machine',
  start: async (world, delayUs) => {
    const service = await startMemcachedOn(world, world.serviceCpu)
    const delay = await attachDelays(
      world,
      world.server,
      { port: service.port, delayUs },
      { program: 'note_request', hook: 'ingress', device: WIRE },
      { program: 'delay_reschedule', hook: 'tracepoint' },
      { program: 'delay_call', hook: 'tracepoint' },
    )
    const end = async (): Promise<number> => {
      const { sumNs, times } = await delay.end()
      world.t.true(times > REQUESTS * MOST, `the idle CPU was delayed for ${times} of ${REQUESTS} requests`)
      await service.end()
      return Number(sumNs)
    }
    return { ...service, load: {}, end }
  },
}

const readIdleDriver = (): string =>
  readFileSync('/sys/devices/system/cpu/cpuidle/current_driver', 'utf8').trim()

/** A service whose CPU has something more urgent to do. */
export const runqueue: Injection<Machine> = {
  stage: 'runqueue',
  by: "bursts of a SCHED_FIFO task on the service's CPU",
  delaysThreads: true,
  start: async (world, delayUs) => {
    const service = await startMemcachedOn(world, world.serviceCpu)
    const bursts = await startBursts(world, { device: WIRE, port: service.port, burstUs: delayUs })
    const end = async (): Promise<number> => {
      const { sumNs, times } = await bursts.end()
      world.t.is(times, REQUESTS)
      await service.end()
      return Number(sumNs)
    }
    return { ...service, load: {}, end }
  },
}
