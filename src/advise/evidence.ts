import type { MeasureDocument } from '../latency/document.js'
import type { StageName } from '../latency/stages.js'
import type { CpuShares } from '../system/cpu-times.js'
import type { Nic } from '../system/nics.js'
import type { Tuner } from '../system/tuners.js'

/** A process that ran beside the service: how much of one CPU's time it took, and on which CPU it was seen. */
export type Neighbour = { pid: number; comm: string; share: number; cpu: number }

/** An interrupt of the network card, and how often it came to each CPU in the time of the measurement. */
export type IrqLoad = {
  irq: number
  name: string
  cpus: number[]
  isMovable: boolean
  counts: [cpu: number, count: number][]
}

/** What was seen of the machine in the time of a measurement; null where the machine does not tell. */
export type MachineEvidence = {
  cpus: CpuShares[]
  /** CPUs that the service's threads may run on; none when its processes can't be seen. */
  serviceCpus: number[]
  neighbours: Neighbour[]
  nic: Nic | null
  irqs: IrqLoad[]
  /** CPUs that RPS sends the card's packets to, and whether RFS is on. */
  rpsCpus: number[]
  isRfsOn: boolean
  /** How often a CPU's budget for packets was used up. */
  squeezes: number
  governors: string[]
  /** Whether idle CPUs have states to sleep in. */
  hasIdleStates: boolean
  busyPollUs: number | null
  rxUsecs: number | null
  hugePages: string | null
  /** Times that memory was compacted for somebody who waited. */
  compactions: number
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
