import type { Evidence, IrqLoad, MachineEvidence, Neighbour } from '../../src/advise/evidence.js'
import type { MeasureDocument } from '../../src/latency/document.js'
import { measureDocument } from '../../src/latency/document.js'
import type { StageName } from '../../src/latency/stages.js'
import type { CpuShares } from '../../src/system/cpu-times.js'
import type { Nic } from '../../src/system/nics.js'
import { exampleDocument } from '../latency/example-document.js'
import { recordRequests, type TestRequest } from '../latency/record-requests.js'

/** How long the stages take in microseconds: in most requests, and in the slowest fiftieth in place of that. */
export type Times = Partial<Record<StageName, number>>

const USUAL: Times = {
  irq: 1,
  driver: 1.2,
  protocol: 4,
  runqueue: 1.5,
  dispatch: 1.5,
  recv: 2.5,
  app_cpu: 9,
  send: 8,
  qdisc: 0.4,
}

const REQUESTS = 5000

/** The document of a service on four CPUs that reads on CPU 1 what comes in on CPU 0, evenly slow in its slowest requests. */
export const createDocument = (slow: Times = {}, parts: Partial<MeasureDocument> = {}): MeasureDocument => {
  const requests = Array.from({ length: REQUESTS }, (_, index): TestRequest => {
    const isSlow = index % 50 === 0
    // No two requests of the same kind take quite the same time.
    const factor = (isSlow ? 2 : 1) + (index % 17) / 100
    const times = isSlow ? { ...USUAL, ...slow } : USUAL
    return Object.fromEntries(
      Object.entries(times).map(([name, us]) => [name, BigInt(Math.round(us * factor * 1000))]),
    )
  })
  const example = exampleDocument(1)
  const document = measureDocument({
    version: example.taut,
    host: {},
    kernel: example.kernel,
    target: example.target,
    session: 'example',
    startedAt: new Date(Date.UTC(2026, 0, 1)),
    seconds: 5,
    inFlight: 0,
    counts: recordRequests(requests),
    overheads: 'none were sampled',
    service: example.service,
    cost: example.cost,
    exemplars: [],
  })
  return {
    ...document,
    overheads: example.overheads,
    locality: [
      { softirq_cpu: 0, recv_cpu: 1, requests: REQUESTS * 0.1 },
      { softirq_cpu: 1, recv_cpu: 1, requests: REQUESTS * 0.9 },
    ],
    ...parts,
  }
}

/** All requests come in on one CPU and are read on another, or the same. */
export const localityOf = (softirq_cpu: number, recv_cpu: number): Pick<MeasureDocument, 'locality'> => ({
  locality: [{ softirq_cpu, recv_cpu, requests: REQUESTS }],
})

export const cpu = (number: number, shares: Partial<CpuShares> = {}): CpuShares => ({
  cpu: number,
  busy: 0.2,
  softirq: 0.05,
  steal: 0,
  ...shares,
})

/** CPUs 0 to 3, of which some are given. */
export const fourCpus = (...given: CpuShares[]): CpuShares[] =>
  [0, 1, 2, 3].map(number => given.find(each => each.cpu === number) ?? cpu(number))

export const irq = (number: number, parts: Partial<IrqLoad> = {}): IrqLoad => ({
  irq: 24 + number,
  name: `eth0-rx-${number}`,
  cpus: [3],
  cpusBefore: parts.cpus ?? [3],
  isMovable: true,
  isBanned: null,
  counts: [[3, 4000]],
  ...parts,
})

export const hog = (parts: Partial<Neighbour> = {}): Neighbour => ({
  pid: 77,
  comm: 'hog',
  share: 0.9,
  cpu: 1,
  ...parts,
})

export const card: Nic = {
  name: 'eth0',
  driver: 'igb',
  isPhysical: true,
  isUp: true,
  node: null,
  rxQueues: [0],
  txQueues: [0, 1],
  irqs: [{ irq: 24, name: 'eth0-rx-0', queue: 0, direction: 'rx' }],
  rxPackets: 1_000_000,
  txPackets: 1_000_000,
  speedMbps: 1000,
}

export const loopback: Nic = {
  ...card,
  name: 'lo',
  driver: null,
  isPhysical: false,
  txQueues: [0],
  irqs: [],
  speedMbps: null,
}

/** A machine with nothing in the way of its service. */
export const createMachine = (parts: Partial<MachineEvidence> = {}): MachineEvidence => ({
  cpus: fourCpus(),
  serviceCpus: [0, 1, 2, 3],
  busyThreads: 2,
  neighbours: [],
  nic: card,
  received: REQUESTS * 2,
  foreignNic: null,
  irqs: [irq(0)],
  rpsCpus: [],
  isRfsOn: false,
  squeezes: 0,
  governors: ['schedutil', 'schedutil'],
  clockShare: 0.98,
  hasIdleStates: true,
  busyPollUs: 0,
  busyReadUs: 0,
  rxUsecs: 3,
  isRxAdaptive: false,
  hugePages: 'always',
  compactions: 0,
  hugeFaults: 0,
  tuners: [],
  ...parts,
})

export const createEvidence = (
  slow: Times = {},
  machine: Partial<MachineEvidence> = {},
  document: Partial<MeasureDocument> = {},
): Evidence => ({ document: createDocument(slow, document), machine: createMachine(machine) })
