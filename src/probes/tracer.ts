import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { type BpfObject, type Link, type Program, possibleCpus, RingBuffer } from 'libbpf-ts'
import type { Counts, Lost } from '../latency/counts.js'
import type { Exemplar } from '../latency/document.js'
import { countValues } from '../latency/histogram.js'
import { type Role, STAGES } from '../latency/stages.js'
import { MAX_CLIENTS } from '../system/clients.js'
import { listReceiveIrqs } from '../system/nic-irqs.js'
import type { Target } from '../system/target.js'
import { OnDemand } from './demand.js'
import { decodeExemplar, EXEMPLAR_OFFSETS, EXEMPLAR_SIZE } from './generated/taut.js'
import { type KernelTypes, openProbes, typesFor } from './kernel-types.js'
import { type CountName, Metrics } from './metrics.js'
import { countMissedRuns, fill, loadOnly, setClients, setNicIrqs, setTarget } from './specialise.js'
import { choosePrograms } from './support.js'
import { listWaitSyscalls } from './syscalls.js'
import { enterThreads } from './threads.js'
import { timeProbes } from './timing.js'
import { UnsupportedError } from './unsupported.js'

/** As many as the probes keep a slot for, MAX_CPUS in bpf/context.h. */
const MAX_CPUS = 512
/** As many processes as the probes know from the start; the others' threads are known from their first request on. */
const MAX_PIDS = 64
/** Bounds the ring buffer's traffic between two drains. */
const EXEMPLARS_A_CPU = 64
/** Before every record, in the ring buffer. */
const RECORD_HEADER = 8
/** A multiple of the page size, which is 64 KiB on some machines. */
const SMALLEST_RING = 65536

const COST_REQUESTS = 200
const COST_STEP_MS = 5
const COST_STEPS = 10

/** Probes that only some services need, and the counts that show who does. */
const PROBES_ON_DEMAND: ReadonlyMap<string, readonly CountName[]> = new Map([
  ['sched_waking', ['handed_over']],
  ['reply_is_queued', ['held_back', 'unsplit']],
  ['recv_ends', ['pieces']],
  ['netif_rx', ['steered']],
  ['softirq_exit', ['outside']],
])

/** What would take memory for nothing, of services of TCP. */
const MAPS_OF_PEERS = ['peers', 'far', 'order', 'queued_answers'] as const
/** An LRU map gives each CPU 128 entries to hold back for itself. */
const LEAST_QUEUED = 4096
const QUEUED_A_CPU = 256
/** Rings of reads of UDP, of a megabyte each. */
const MAX_RINGS = 16

/** Probes that tell when a service's calls begin, which only the stages of requests need; as clients they begin with one. */
const CALL_PROBES: Readonly<Record<Role, readonly string[]>> = {
  server: ['recv_copies', 'send_copies', 'sys_enter'],
  client: ['recv_copies'],
}

/** Where a client's request begins its call to send is known from what begins the request. */
const USELESS: Readonly<Record<Role, readonly string[]>> = { server: [], client: ['send_copies'] }

const HIGHEST_HASH = 2 ** 32 - 1
/** NO_CPU in bpf/finish.h. */
const NO_CPU = 2 ** 32 - 1

/** What the probes took for a while, in nanoseconds: the BPF programs, of how long; and the complete requests meanwhile. */
export type BpfCost = { bpfNs: number; requests: number; ns: number }

/**
 * The probes, loaded for one target and attached. Every complete request from here on is in the counts; of those that were
 * in progress when it began or ended, only the total.
 *
 * Closing detaches them; if the process dies the kernel does, because nothing is pinned.
 */
export class Tracer implements Disposable {
  readonly #object: BpfObject
  readonly #programs: Program[]
  readonly #metrics: Metrics
  readonly #ring: RingBuffer
  /** Lets the requests of clients stand as they are, all at once. */
  #stopClients: (() => void) | null = null
  /** Counts the requests of clients whose reply was read, and that nothing else has ended. */
  #finishOpen: (() => void) | null = null
  #reading: Link | null = null
  /** What only requests that are followed in depth need, and while it is attached, what detaches it. */
  #callProbes: Program[] = []
  #detachCalls: (() => void) | null = null
  readonly #onDemand: { switch: OnDemand; counts: readonly CountName[] }[] = []

  private constructor(object: BpfObject, programs: Program[], cpus: number) {
    this.#object = object
    this.#programs = programs
    this.#metrics = new Metrics(object.map('metrics').mmap(), cpus)
    this.#ring = new RingBuffer(object.map('exemplars'))
  }

  /** Loads and attaches; throws UnsupportedError when the kernel lacks what is needed, or libbpf-ts's BpfError. */
  static start(target: Target, wantedTypes: KernelTypes): Tracer {
    const types = typesFor(target, wantedTypes)
    const tracer = Tracer.load(target, types)
    try {
      if (target.clients !== undefined) tracer.chooseClients(target.pids)
      tracer.#attach(target)
      if (types.kind === 'raw_tp') enterThreads(tracer.#object.map('threads'), target.pids)
      tracer.setDepth(1)
      return tracer
    } catch (error) {
      tracer.close()
      throw error
    }
  }

  /** Loads the probes and attaches none, which is enough to know what the verifier says; throws as `start` does. */
  static load(target: Target, wantedTypes: KernelTypes): Tracer {
    const types = typesFor(target, wantedTypes)
    const { pids, service } = target
    const { protocol } = service
    const syscalls = listWaitSyscalls(process.arch)
    if (syscalls === null) throw new UnsupportedError(`the system calls of ${process.arch} are not known`)
    const cpus = possibleCpus()
    if (cpus > MAX_CPUS) throw new UnsupportedError(`${cpus} CPUs are more than the probes' ${MAX_CPUS}`)
    const object = openProbes('taut', types)
    try {
      setTarget(object, target)
      setClients(object, target)
      object.variable('is_udp').set(protocol === 'udp')
      object.variable('wait_syscalls').set(syscalls.wait)
      object.variable('receive_syscalls').set(syscalls.receive)
      object.variable('batch_syscalls').set(syscalls.batch)
      const hasCards = setNicIrqs(object, listReceiveIrqs())
      object.variables.get('service_pids')?.set(fill(pids.slice(0, MAX_PIDS), MAX_PIDS))
      object.map('metrics').setMaxEntries(cpus)
      object.map('exemplars').setMaxEntries(chooseRingSize(cpus))
      if (protocol === 'udp') {
        object.map('arrivals').setMaxEntries(cpus)
        object.map('queued_answers').setMaxEntries(Math.max(LEAST_QUEUED, QUEUED_A_CPU * cpus))
      } else for (const name of MAPS_OF_PEERS) object.map(name).setMaxEntries(1)
      const useless = [...(hasCards ? [] : ['irq_handler_entry']), ...USELESS[target.role]]
      const programs = choosePrograms(object, types.kind, target, useless)
      // Until all are attached.
      object.variable('depth_limit').set(0)
      object.variable('follows_syscalls').set(programs.some(({ name }) => name === 'sys_enter'))
      const knowsSockets = programs.some(({ name }) => name === 'datagram_is_ready')
      const rings = knowsSockets ? Math.min(cpus, MAX_RINGS) : 1
      object.variable('rings').set(rings)
      object.variable('begins_at_ip').set(!knowsSockets)
      object.map('reads').setMaxEntries(rings)
      loadOnly(object, programs)
      return new Tracer(object, programs, cpus)
    } catch (error) {
      object.close()
      throw error
    }
  }

  /** Gives the cumulative counts. */
  read(): Counts {
    const counts = this.#metrics.read()
    counts.lost.recursion = this.#countMissedRuns()
    return counts
  }

  /** Gives the cumulative histogram of the total alone. */
  readTotals(): Float64Array {
    return this.#metrics.readTotals()
  }

  /** Gives the cumulative histogram of the time until replies were acknowledged, of requests followed in depth. */
  readAcks(): Float64Array {
    return this.#metrics.readStage('ack')
  }

  /** Gives the cumulative number of complete requests. */
  countRequests(): number {
    return countValues(this.#metrics.readTotals())
  }

  /** Gives the cumulative number of requests whose connection was closed before a reply. */
  countUnanswered(): number {
    return this.#metrics.readCount('unanswered')
  }

  /** Gives what could not be kept since the start, by reason. */
  readLost(): Lost {
    return {
      ringbuf_full: this.#metrics.readCount('lost_ringbuf_full'),
      map_full: this.#metrics.readCount('lost_map_full'),
      unmatched: this.#metrics.readCount('lost_unmatched'),
      clock: this.#metrics.readCount('lost_clock'),
      recursion: this.#countMissedRuns(),
    }
  }

  /** Gives how many events are missing in the counts since the start; an exemplar that found the ring full is in them. */
  countLost(): number {
    const { ringbuf_full: _, ...rest } = this.readLost()
    return Object.values(rest).reduce((sum, count) => sum + count, 0)
  }

  /**
   * Chooses the exemplars until the next call: those slower than a threshold, and one in `every` of the others
   * (rounded up to a power of two), at most 64 a CPU.
   */
  chooseExemplars(thresholdNs: number, every: number): void {
    this.#object.variable('exemplar_threshold_ns').set(BigInt(Math.ceil(thresholdNs)))
    this.#object.variable('exemplar_sample_mask').set(2n ** BigInt(Math.ceil(Math.log2(every))) - 1n)
    this.#metrics.allowExemplars(EXEMPLARS_A_CPU)
  }

  /** Gives those exemplars that came since the last call and took longer than a number of nanoseconds. */
  drainExemplars(overNs = 0): Exemplar[] {
    const exemplars: Exemplar[] = []
    for (let batch = this.#ring.drain(); batch !== undefined; batch = this.#ring.drain()) {
      const halves = new Uint32Array(batch.buffer)
      for (let index = 0; index < batch.count; index++) {
        // Decoding one takes ten times as long as finding that it is not wanted.
        const total = ((batch.offsets[index] ?? 0) + EXEMPLAR_OFFSETS.total_ns) / 4
        const totalNs = (halves[total] ?? 0) + (halves[total + 1] ?? 0) * 2 ** 32
        if (totalNs <= overNs || batch.length(index) !== EXEMPLAR_SIZE) continue
        exemplars.push(readExemplar(batch.record(index)))
      }
    }
    return exemplars
  }

  /** Counts the requests of these processes from now on, and of no others, where the target is some clients. */
  chooseClients(pids: readonly number[]): void {
    const clients = this.#object.map('clients')
    const chosen = new Set(pids.slice(0, MAX_CLIENTS))
    for (const pid of [...clients.keys()].map(Number)) {
      if (!chosen.delete(pid)) clients.delete(pid)
    }
    for (const pid of chosen) clients.set(pid, 1)
  }

  /**
   * Follows only this share of the connections, from 0 to 1, in depth: those whose hash is lowest. Of the requests on the
   * others the total is known, and nothing of their stages.
   */
  setDepth(share: number): void {
    if (share > 0) this.#detachCalls ??= this.#attachCalls()
    this.#object.variable('depth_limit').set(Math.floor(share * HIGHEST_HASH))
    if (share > 0) return
    this.#detachCalls?.()
    this.#detachCalls = null
  }

  /**
   * Has the probes time themselves, and gives what they took. That makes every run of a probe dearer, so it ends
   * with enough requests to tell, after 50 ms at most. Gives null when all has been closed meanwhile.
   */
  async measureCost(): Promise<BpfCost | null> {
    using timing = timeProbes(this.#object)
    const begin = performance.now()
    const before = { ns: timing.read(), requests: this.countRequests() }
    let requests = 0
    for (let steps = 0; steps < COST_STEPS && requests < COST_REQUESTS; steps++) {
      await setTimeout(COST_STEP_MS)
      if (this.#object.closed) return null
      requests = this.countRequests() - before.requests
    }
    return { bpfNs: timing.read() - before.ns, requests, ns: (performance.now() - begin) * 1e6 }
  }

  /** To be called now and then: what this service does not need is turned off, or on again. */
  adapt(): void {
    const requests = this.countRequests()
    for (const { switch: onDemand, counts } of this.#onDemand) {
      onDemand.adapt({
        requests,
        needed: counts.reduce((sum, name) => sum + this.#metrics.readCount(name), 0),
      })
    }
  }

  /** Detaches the probes and gives the final counts, which nothing changes any more. */
  stop(): Counts {
    if (this.#stopClients !== null) {
      this.#stopClients()
    } else {
      // One probe goes after the other: what has begun by now is not split by those that are left.
      this.#object.variable('depth_limit').set(0)
      this.#increase('depth_generation')
    }
    // What begins a request goes first, so that the others see the ends of those that have begun: reading does, where nobody
    // has seen the payload arrive.
    this.#reading?.close()
    for (const link of [...this.#object.links].reverse()) link.close()
    this.#finishOpen?.()
    return this.read()
  }

  /** Detaches and frees everything; harmless when done again. */
  close(): void {
    this.#ring.close()
    this.#object.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #attach({ role, service: { protocol } }: Target): void {
    const keepBacklog = (): (() => void) => {
      const clear = this.#raise('keeps_backlog')
      return () => {
        clear()
        this.#forgetPackets()
      }
    }
    // Only TCP has backlogs. However few requests come by them, what they waited for is a part of their total.
    if (protocol === 'tcp')
      this.#onDemand.push({
        switch: new OnDemand(keepBacklog, Number.MAX_SAFE_INTEGER),
        counts: ['backlogged'],
      })
    for (const program of this.#programs) {
      if (program.name === 'finish_open') {
        this.#stopClients = () => this.#object.variable('has_ended').set(1)
        this.#finishOpen = () => {
          if (!program.sectionName.startsWith('iter/')) return program.attach().close() // a system call
          using exchanges = program.attachIter(this.#object.map('exchanges'))
          exchanges.read()
        }
        continue
      }
      if (program.sectionName.startsWith('iter/')) {
        using threads = program.attachIter()
        threads.read()
        continue
      }
      if (CALL_PROBES[role].includes(program.name)) {
        this.#callProbes.push(program)
        continue
      }
      const counts = PROBES_ON_DEMAND.get(program.name)
      if (counts !== undefined) {
        this.#onDemand.push({ switch: new OnDemand(() => this.#attachProgram(program)), counts })
      } else {
        const link = program.attach()
        if (program.name === 'payload_was_copied') this.#reading = link
      }
    }
  }

  #attachCalls(): () => void {
    const links = this.#callProbes.map(program => program.attach())
    return () => {
      // Requests that have begun by now will miss a call.
      this.#increase('depth_generation')
      for (const link of links) link.close()
    }
  }

  /** Sets a variable of the probes, and gives what clears it. */
  #raise(name: string): () => void {
    const variable = this.#object.variable(name)
    variable.set(1)
    return () => variable.set(0)
  }

  #attachProgram(program: Program): () => void {
    const link = program.attach()
    const clear = program.name === 'recv_ends' ? this.#raise('counts_recvs') : null
    return () => {
      clear?.()
      link.close()
      this.#forgetPackets()
    }
  }

  /** Packets on their way are kept by address; those whose end nobody looks for any more must not be found later. */
  #forgetPackets(): void {
    this.#increase('epoch')
  }

  #increase(name: string): void {
    const variable = this.#object.variable(name)
    variable.set(Number(variable.get()) + 1)
  }

  /** A missed end of a connection is not among them: its request, if it had one, stays in flight, and shows so. */
  #countMissedRuns(): number {
    return countMissedRuns(
      this.#programs.filter(({ name }) => name !== 'connection_changes' && name !== 'exchange_ends'),
    )
  }
}

/** Twice what comes at most between two drains: what is drained late finds room too. In bytes, as the kernel takes it. */
const chooseRingSize = (cpus: number): number => {
  const most = cpus * EXEMPLARS_A_CPU * (EXEMPLAR_SIZE + RECORD_HEADER)
  return Math.max(SMALLEST_RING, 2 ** Math.ceil(Math.log2(2 * most)))
}

const readExemplar = (record: Uint8Array): Exemplar => {
  const exemplar = decodeExemplar(new DataView(record.buffer, record.byteOffset, record.length))
  const present = STAGES.flatMap((name, stage) =>
    (exemplar.stage_mask >> stage) & 1 ? [[name, exemplar.stage_ns[stage] ?? 0n] as const] : [],
  )
  return {
    totalNs: exemplar.total_ns,
    cpu: {
      ...(exemplar.driver_cpu !== NO_CPU && { driver: exemplar.driver_cpu }),
      ...(exemplar.softirq_cpu !== NO_CPU && { softirq: exemplar.softirq_cpu }),
      recv: exemplar.recv_cpu,
      send: exemplar.send_cpu,
    },
    ...(exemplar.idle_state >= 0 && { idleState: exemplar.idle_state }),
    stages: Object.fromEntries(present),
  }
}
