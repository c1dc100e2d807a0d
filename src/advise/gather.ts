import { networkInterfaces } from 'node:os'
import { performance } from 'node:perf_hooks'
import { readBans } from '../knobs/places/irqbalance.js'
import { readPlace } from '../knobs/places/place.js'
import { listConnections } from '../system/connections.js'
import { parseCpuMask } from '../system/cpu-list.js'
import { readCpuTimes, sharesBetween } from '../system/cpu-times.js'
import { listOnlineCpus } from '../system/cpus.js'
import { listEntries, readNatural, readText } from '../system/files.js'
import { readFrequencies } from '../system/frequencies.js'
import { givesWayTo } from '../system/giving-way.js'
import { type Affinity, isMovable, readAffinity, readInterrupts } from '../system/interrupts.js'
import { readReceived } from '../system/net-dev.js'
import { listNicIrqs } from '../system/nic-irqs.js'
import { findNic, listLowerNics, type Nic } from '../system/nics.js'
import { type ProcessTimes, readProcessTimes, readThreadTimes } from '../system/process-times.js'
import { readNetns, type Service } from '../system/services.js'
import { readSoftnet } from '../system/softnet.js'
import { listThreads } from '../system/threads.js'
import { listTuners } from '../system/tuners.js'
import { watchClock } from './clock.js'
import type { IrqLoad, MachineEvidence } from './evidence.js'
import { type IrqReading, irqLoadsBetween } from './irq-loads.js'
import { findNeighbours, placeNeighbour } from './neighbours.js'
import { findServingDevice } from './serving-device.js'

/** The kernel's ticks a second, whatever its own are: USER_HZ is 100 on all of Linux's architectures that run here. */
const TICKS = 100
const LEAST_SHARE = 0.05

/** Begins to look at the machine; gives what ends it, and gives what was seen since. Changes nothing. */
export const watchMachine = (service: Service): (() => Promise<MachineEvidence>) => {
  const endClock = watchClock()
  const before = readCounters(service)
  const threadsBefore = readThreadsOf(before.processes)
  return async () => {
    const after = readCounters(service)
    const way = findWay(service, before, after)
    const nic = way === null || isElsewhere(service) ? null : findNic(way)
    return {
      cpus: sharesBetween(before.cpus, after.cpus),
      serviceCpus: listServiceCpus(service),
      busyThreads: countBusyThreads(before, after),
      neighbours: findNeighbours(before.processes, after.processes, {
        ticks: ticksBetween(before, after),
        service: service.pids,
        taut: process.pid,
      })
        .filter(({ pid }) => !givesWayTo(service.pids, pid))
        .flatMap(each => {
          const ticksBefore = (tid: number): number => threadsBefore.get(`${each.pid} ${tid}`) ?? 0
          return placeNeighbour(each, readThreadTimes(each.pid), ticksBefore, ticksBetween(before, after))
        }),
      nic,
      received: way === null ? 0 : receivedBetween(before, after, way),
      foreignNic: isElsewhere(service) ? way : null,
      irqs: nic === null ? [] : await listIrqLoads(nic, before, after),
      rpsCpus: nic === null ? [] : listRpsCpus(nic),
      isRfsOn: nic === null ? null : isRfsOn(nic),
      squeezes: sumSqueezes(after) - sumSqueezes(before),
      governors: readFrequencies().flatMap(({ governor }) => governor ?? []),
      clockShare: endClock(),
      hasIdleStates: listEntries('/sys/devices/system/cpu/cpu0/cpuidle').length > 0,
      busyPollUs: readNatural('/proc/sys/net/core/busy_poll'),
      busyReadUs: readNatural('/proc/sys/net/core/busy_read'),
      rxUsecs: nic === null ? null : await readRxUsecs(nic),
      isRxAdaptive: nic !== null && (await readCoalescing(nic, 'adaptive-rx')) === 'on',
      hugePages: /\[(\w+)\]/.exec(readText('/sys/kernel/mm/transparent_hugepage/enabled') ?? '')?.[1] ?? null,
      compactions: after.memory.compact_stall - before.memory.compact_stall,
      hugeFaults: after.memory.thp_fault_alloc - before.memory.thp_fault_alloc,
      tuners: listTuners(),
    }
  }
}

/** What each thread has taken, by its process and its own number; the kernel's own are nobody's neighbours. */
const readThreadsOf = (processes: readonly ProcessTimes[]): Map<string, number> =>
  new Map(
    processes
      .filter(({ isKernel }) => !isKernel)
      .flatMap(({ pid }) => readThreadTimes(pid).map(({ tid, ticks }) => [`${pid} ${tid}`, ticks] as const)),
  )

type Counters = ReturnType<typeof readCounters>

const readCounters = (service: Service) => ({
  ms: performance.now(),
  cpus: readCpuTimes(),
  processes: readProcessTimes(),
  threads: new Map(
    service.pids.flatMap(pid => readThreadTimes(pid)).map(({ tid, ticks }) => [tid, ticks] as const),
  ),
  ...readIrqs(),
  received: readReceived(isElsewhere(service) ? (service.pid ?? 'self') : 'self'),
  softnet: readSoftnet(),
  memory: readMemoryEvents(),
})

const readMemoryEvents = () => {
  const text = readText('/proc/vmstat') ?? ''
  const read = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
  return { compact_stall: read('compact_stall'), thp_fault_alloc: read('thp_fault_alloc') }
}

/** In another network namespace than taut, whose devices sysfs does not show. */
const isElsewhere = ({ netns }: Service): boolean => netns !== readNetns('self')

const receivedBetween = (before: Counters, after: Counters, device: string): number =>
  (after.received.get(device) ?? 0) - (before.received.get(device) ?? 0)

/** The device by which the requests came; of a bridge or the like the one below it that took most of the packets. */
const findWay = (service: Service, before: Counters, after: Counters): string | null => {
  const received = new Map(
    [...after.received.keys()].map(name => [name, receivedBetween(before, after, name)]),
  )
  const own = isElsewhere(service) ? [] : Object.entries(networkInterfaces())
  const addresses = own.flatMap(([name, all]) =>
    (all ?? []).map(({ address, internal }) => ({ name, address, internal })),
  )
  const way = findServingDevice({
    connections: isElsewhere(service) || service.protocol === 'udp' ? [] : listConnections(service.port),
    devices: new Map(addresses.map(({ address, name }) => [address, name])),
    received,
    loopback: addresses.find(({ internal }) => internal)?.name ?? 'lo',
  })
  return way === null || isElsewhere(service) ? way : findLowest(way, received)
}

const findLowest = (name: string, received: ReadonlyMap<string, number>): string => {
  const packetsOf = (lower: string): number => received.get(lower) ?? 0
  const [lower] = listLowerNics(name)
    .filter(each => packetsOf(each) > 0)
    .toSorted((a, b) => packetsOf(b) - packetsOf(a))
  return lower === undefined ? name : findLowest(lower, received)
}

const sumSqueezes = ({ softnet }: Counters): number =>
  softnet.reduce((sum, { squeezed }) => sum + squeezed, 0)

const listServiceCpus = ({ pids }: Service): number[] => {
  const allowed = new Set(pids.flatMap(pid => listThreads(pid).flatMap(thread => thread.cpus)))
  return listOnlineCpus().filter(cpu => allowed.has(cpu))
}

const ticksBetween = (before: Counters, after: Counters): number => ((after.ms - before.ms) / 1000) * TICKS

const countBusyThreads = (before: Counters, after: Counters): number => {
  const least = LEAST_SHARE * ticksBetween(before, after)
  return [...after.threads].filter(([tid, ticks]) => ticks - (before.threads.get(tid) ?? 0) >= least).length
}

const listIrqLoads = async (nic: Nic, before: Counters, after: Counters): Promise<IrqLoad[]> => {
  // Where it does not answer, nobody knows.
  const banned = nic.irqs.length === 0 ? null : await readBans().catch(() => null)
  return irqLoadsBetween(nic.irqs, before, after).map(load => ({
    ...load,
    isMovable: isMovable(load.irq),
    isBanned: banned?.includes(load.irq) ?? null,
  }))
}

const readIrqs = (): IrqReading => {
  const interrupts = readInterrupts()
  const affinities = listNicIrqs(interrupts).flatMap((irq): [number, Affinity][] => {
    const affinity = readAffinity(irq)
    return affinity === null ? [] : [[irq, affinity]]
  })
  return { interrupts, affinities: new Map(affinities) }
}

const listRpsCpus = ({ name, rxQueues }: Nic): number[] => {
  const masks = rxQueues.map(queue => readText(`/sys/class/net/${name}/queues/rx-${queue}/rps_cpus`))
  return [...new Set(masks.flatMap(mask => (mask === null ? [] : parseCpuMask(mask))))].sort((a, b) => a - b)
}

/** It takes the table of all sockets, and a share of it for a queue of the device. */
const isRfsOn = ({ name, rxQueues }: Nic): boolean | null => {
  const table = readNatural('/proc/sys/net/core/rps_sock_flow_entries')
  if (table === null) return null
  const hasShare = rxQueues.some(
    queue => (readNatural(`/sys/class/net/${name}/queues/rx-${queue}/rps_flow_cnt`) ?? 0) > 0,
  )
  return table > 0 && hasShare
}

const readRxUsecs = async (nic: Nic): Promise<number | null> => {
  const value = await readCoalescing(nic, 'rx-usecs')
  return value === null ? null : Number(value)
}

const readCoalescing = async (nic: Nic, parameter: 'rx-usecs' | 'adaptive-rx'): Promise<string | null> => {
  try {
    return await readPlace({ kind: 'coalesce', nic: nic.name, parameter })
  } catch {
    // Without ethtool it is not known.
    return null
  }
}
