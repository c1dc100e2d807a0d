import { cpus } from 'node:os'
import { performance } from 'node:perf_hooks'
import { readPlace } from '../knobs/places/place.js'
import { parseCpuMask } from '../system/cpu-list.js'
import { readCpuTimes, sharesBetween } from '../system/cpu-times.js'
import { listOnlineCpus } from '../system/cpus.js'
import { listEntries, readNatural, readText } from '../system/files.js'
import { readAffinity, readInterrupts } from '../system/interrupts.js'
import { findBusiestNic, listNics, type Nic } from '../system/nics.js'
import { readProcessTimes } from '../system/process-times.js'
import type { Service } from '../system/services.js'
import { readSoftnet } from '../system/softnet.js'
import { listThreads } from '../system/threads.js'
import { listTuners } from '../system/tuners.js'
import type { IrqLoad, MachineEvidence, Neighbour } from './evidence.js'

/** The kernel's ticks a second, whatever its own are: USER_HZ is 100 on all of Linux's architectures that run here. */
const TICKS = 100
const LEAST_SHARE = 0.05

/** Begins to look at the machine; gives what ends it, and gives what was seen since. Changes nothing. */
export const watchMachine = (service: Service): (() => Promise<MachineEvidence>) => {
  const before = readCounters()
  return async () => {
    const after = readCounters()
    const nic = findBusiestNic(listNics())
    return {
      cpus: sharesBetween(before.cpus, after.cpus),
      serviceCpus: listServiceCpus(service),
      neighbours: findNeighbours(before, after, service),
      nic,
      irqs: nic === null ? [] : listIrqLoads(nic, before, after),
      rpsCpus: nic === null ? [] : listRpsCpus(nic),
      isRfsOn: (readNatural('/proc/sys/net/core/rps_sock_flow_entries') ?? 0) > 0,
      squeezes: sumSqueezes(after) - sumSqueezes(before),
      governors: listGovernors(),
      hasIdleStates: listEntries('/sys/devices/system/cpu/cpu0/cpuidle').length > 0,
      busyPollUs: readNatural('/proc/sys/net/core/busy_poll'),
      rxUsecs: nic === null ? null : await readRxUsecs(nic),
      hugePages: /\[(\w+)\]/.exec(readText('/sys/kernel/mm/transparent_hugepage/enabled') ?? '')?.[1] ?? null,
      compactions: after.compactions - before.compactions,
      tuners: listTuners(),
    }
  }
}

type Counters = ReturnType<typeof readCounters>

const readCounters = () => ({
  ms: performance.now(),
  cpus: readCpuTimes(),
  processes: readProcessTimes(),
  interrupts: readInterrupts(),
  softnet: readSoftnet(),
  compactions: Number(/^compact_stall (\d+)$/m.exec(readText('/proc/vmstat') ?? '')?.[1] ?? 0),
})

const sumSqueezes = ({ softnet }: Counters): number =>
  softnet.reduce((sum, { squeezed }) => sum + squeezed, 0)

const listServiceCpus = ({ pids }: Service): number[] => {
  const allowed = new Set(pids.flatMap(pid => listThreads(pid).flatMap(thread => thread.cpus)))
  return listOnlineCpus().filter(cpu => allowed.has(cpu))
}

/** Those that took CPU time, but for the service and for taut. */
const findNeighbours = (before: Counters, after: Counters, { pids }: Service): Neighbour[] => {
  const ticks = ((after.ms - before.ms) / 1000) * TICKS
  return after.processes.flatMap(process => {
    if (pids.includes(process.pid) || process.pid === globalThis.process.pid) return []
    const begin = before.processes.find(({ pid, comm }) => pid === process.pid && comm === process.comm)
    const share = (process.ticks - (begin?.ticks ?? 0)) / ticks
    return share >= LEAST_SHARE ? [{ pid: process.pid, comm: process.comm, share, cpu: process.cpu }] : []
  })
}

const listIrqLoads = (nic: Nic, before: Counters, after: Counters): IrqLoad[] =>
  nic.irqs.map(({ irq, name }) => {
    const counts = after.interrupts.find(each => each.irq === irq)?.counts ?? new Map<number, number>()
    const earlier = before.interrupts.find(each => each.irq === irq)?.counts
    const affinity = readAffinity(irq)
    return {
      irq,
      name,
      cpus: affinity?.effective ?? affinity?.wanted ?? [],
      isMovable: affinity !== null && affinity.wanted.length > 0 && cpus().length > 1,
      counts: [...counts]
        .map(([cpu, count]): [number, number] => [cpu, count - (earlier?.get(cpu) ?? 0)])
        .filter(([, count]) => count > 0),
    }
  })

const listRpsCpus = ({ name, rxQueues }: Nic): number[] => {
  const masks = rxQueues.map(queue => readText(`/sys/class/net/${name}/queues/rx-${queue}/rps_cpus`))
  return [...new Set(masks.flatMap(mask => (mask === null ? [] : parseCpuMask(mask))))].sort((a, b) => a - b)
}

const listGovernors = (): string[] =>
  listEntries('/sys/devices/system/cpu/cpufreq')
    .filter(name => /^policy\d+$/.test(name))
    .flatMap(name => readText(`/sys/devices/system/cpu/cpufreq/${name}/scaling_governor`) ?? [])

const readRxUsecs = async (nic: Nic): Promise<number | null> => {
  try {
    const value = await readPlace({ kind: 'coalesce', nic: nic.name, parameter: 'rx-usecs' })
    return value === null ? null : Number(value)
  } catch {
    // Without ethtool it is not known.
    return null
  }
}
