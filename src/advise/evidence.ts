import type { MeasureDocument } from '../latency/document.js'
import type { StageName } from '../latency/stages.js'
import type { CpuShares } from '../system/cpu-times.js'
import type { Nic } from '../system/nics.js'
import type { Tuner } from '../system/tuners.js'

/** A process that ran beside the service, on one of its CPUs: what share of that CPU's time it took. A process may be several. */
export type Neighbour = { pid: number; comm: string; share: number; cpu: number }

/** An interrupt of the network card, and how often it came to each CPU in the time of the measurement. */
export type IrqLoad = {
  irq: number
  name: string
  /** The CPUs that it goes to, at the end and when the measurement began. */
  cpus: number[]
  cpusBefore: number[]
  isMovable: boolean
  /** Whether irqbalance was told to leave it alone; null where none runs that can be asked. */
  isBanned: boolean | null
  counts: [cpu: number, count: number][]
}

/** What was seen of the machine in the time of a measurement; null where the machine does not tell. */
export type MachineEvidence = {
  cpus: CpuShares[]
  /** CPUs that the service's threads may run on; none when its processes can't be seen. */
  serviceCpus: number[]
  /** How many of the service's threads were at work, each for a twentieth of a CPU's time at least. */
  busyThreads: number
  neighbours: Neighbour[]
  /** The device by which the requests came, loopback too, and how many packets it received meanwhile. */
  nic: Nic | null
  received: number
  /** The same device by its name, where it is in another network namespace than taut: out of reach. */
  foreignNic: string | null
  irqs: IrqLoad[]
  /** CPUs that RPS sends the device's packets to, and whether RFS is on; its table is seen from the first namespace only. */
  rpsCpus: number[]
  isRfsOn: boolean | null
  /** How often a CPU's budget for packets was used up. */
  squeezes: number
  governors: string[]
  /** The mean of the CPUs' frequencies while they were busy, as a share of the highest that they may have. */
  clockShare: number | null
  /** Whether idle CPUs have states to sleep in. */
  hasIdleStates: boolean
  busyPollUs: number | null
  busyReadUs: number | null
  rxUsecs: number | null
  /** Whether the driver changes that by itself. */
  isRxAdaptive: boolean
  hugePages: string | null
  /** Times that memory was compacted for somebody who waited, and that somebody was given a huge page on touching memory. */
  compactions: number
  hugeFaults: number
  tuners: Tuner[]
}

/** What there is to advise from: where the time of the requests went, and what the machine did meanwhile. */
export type Evidence = { document: MeasureDocument; machine: MachineEvidence }

/** The row of the tail that advice is for: the slowest of a hundred. */
const TAIL = 99

/** Gives the mean of some stages in the slowest 1 %, as a share of their total; 0 without requests. */
export const shareOfTail = ({ document }: Evidence, ...stages: StageName[]): number => {
  const row = document.tail.find(({ from_percentile }) => from_percentile === TAIL)
  const all = Object.values(row?.stages ?? {}).reduce((sum, us) => sum + us, 0)
  return all === 0 ? 0 : stages.reduce((sum, name) => sum + (row?.stages[name] ?? 0), 0) / all
}

/** Gives the share of the requests that were read on the CPU of their softirq; null where that is not known. */
export const sameCpuShare = ({ document }: Evidence): number | null => {
  const all = document.locality.reduce((sum, { requests }) => sum + requests, 0)
  const same = document.locality
    .filter(({ softirq_cpu, recv_cpu }) => softirq_cpu === recv_cpu)
    .reduce((sum, { requests }) => sum + requests, 0)
  return all === 0 ? null : same / all
}

/** Gives the CPUs by how many requests' softirqs they had, the first with the most. */
export const softirqCpus = ({ document }: Evidence): number[] => {
  const counts = new Map<number, number>()
  for (const { softirq_cpu, requests } of document.locality)
    counts.set(softirq_cpu, (counts.get(softirq_cpu) ?? 0) + requests)
  return [...counts].toSorted(([, a], [, b]) => b - a).map(([cpu]) => cpu)
}

/** A CPU that reads fewer of the requests than this is where the service was by chance. */
const READS = 0.05

/** Gives the CPUs that the service reads its requests on, in order. */
export const readingCpus = ({ document }: Evidence): number[] => {
  const all = document.locality.reduce((sum, { requests }) => sum + requests, 0)
  const counts = new Map<number, number>()
  for (const { recv_cpu, requests } of document.locality)
    counts.set(recv_cpu, (counts.get(recv_cpu) ?? 0) + requests)
  return [...counts]
    .filter(([, requests]) => requests >= READS * all)
    .map(([cpu]) => cpu)
    .sort((a, b) => a - b)
}

/** So many packets a request at least: fewer did not bring the requests. */
const PACKETS_A_REQUEST = 0.5

/** Gives the evidence without a device that the requests can't have come by. */
export const withServingNic = ({ document, machine }: Evidence): Evidence =>
  machine.received >= document.requests * PACKETS_A_REQUEST
    ? { document, machine }
    : { document, machine: { ...machine, nic: null, irqs: [], rpsCpus: [], rxUsecs: null } }
