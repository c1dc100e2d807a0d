import { setTimeout } from 'node:timers/promises'
import type { BpfObject, Link, Program } from 'libbpf-ts'
import { OVERHEAD_SUMS, type OverheadSample } from '../latency/overheads.js'
import { listArrivalIrqs } from '../system/nic-irqs.js'
import type { Target } from '../system/target.js'
import { toBits } from './bits.js'
import {
  OVERHEADS_OFFSETS,
  OVERHEADS_SIZE,
  type Program as OverheadProgram,
  SYSCALL_USE_OFFSETS,
  SYSCALL_USE_SIZE,
} from './generated/overheads.js'
import { type KernelTypes, openProbes, type ProbeKind } from './kernel-types.js'
import { countMissedRuns, loadOnly, setNicIrqs, setTarget } from './specialise.js'
import { findObstacle, isFor, type Probe, type Support } from './support.js'
import { listSyscallNames } from './syscall-names.js'
import { listWaitSyscalls } from './syscalls.js'
import { type Timing, timeProbes } from './timing.js'

/** As many system calls as the probes tell apart, MAX_SYSCALLS in bpf/overheads.h; the last slot is for all others. */
const MAX_SYSCALLS = OVERHEADS_OFFSETS.voluntary / SYSCALL_USE_SIZE
const WORD = 8
/** Between two of what holds a CPU up: a service that waited for it catches up. */
const PAUSE_MS = 2

/** Where the sampling probes attach, and what they are for. A number whose probe is missing is null. */
export const OVERHEAD_PROBES: readonly (Pick<Probe, 'point' | 'buys' | 'since' | 'protocol'> & {
  program: OverheadProgram
})[] = [
  {
    program: 'sched_switch',
    point: 'sched/sched_switch',
    buys: 'context switches; time on a CPU',
  },
  {
    program: 'sched_waking',
    point: 'sched/sched_waking',
    buys: 'when an epoll_wait got something to return',
  },
  {
    program: 'sys_enter',
    point: 'raw_syscalls/sys_enter',
    buys: 'system calls by name',
  },
  {
    program: 'sys_exit',
    point: 'raw_syscalls/sys_exit',
    buys: 'the time in system calls, and what epoll_wait returns',
  },
  {
    program: 'payload_is_copied',
    point: 'skb/skb_copy_datagram_iovec',
    buys: 'the way from recv to the socket layer',
  },
  {
    program: 'payload_is_sent',
    point: 'tcp/tcp_sendmsg_locked',
    protocol: 'tcp',
    buys: 'the way from send to the socket layer',
    since: '6.16',
  },
  {
    program: 'softirq_entry',
    point: 'irq/softirq_entry',
    buys: 'the time in NET_RX softirqs',
  },
  {
    program: 'softirq_exit',
    point: 'irq/softirq_exit',
    buys: 'the time in NET_RX softirqs',
  },
  {
    program: 'netif_receive_skb',
    point: 'net/netif_receive_skb',
    buys: 'packets in those softirqs',
  },
  {
    program: 'napi_gro_receive',
    point: 'net/napi_gro_receive_exit',
    buys: 'packets that GRO merges',
  },
  {
    program: 'napi_gro_frags',
    point: 'net/napi_gro_frags_exit',
    buys: 'the same for drivers that hand over pages',
  },
  {
    program: 'napi_poll',
    point: 'napi/napi_poll',
    buys: 'packets a poll, and an interrupt',
  },
  {
    program: 'irq_handler_entry',
    point: 'irq/irq_handler_entry',
    buys: 'interrupts of network cards',
  },
]

/** Tries every one of them, as probeSupport does those of requests. */
export const probeOverheadSupport = (kind: ProbeKind): Support[] =>
  OVERHEAD_PROBES.map(probe => ({
    probe: { ...probe, required: false, stages: [] },
    reason: findObstacle(probe.point, kind),
  }))

/** Cumulative sums over all CPUs, of every word of struct overheads. */
export type OverheadWords = Float64Array

/**
 * The probes that count the overheads of the socket API, loaded for one target; too dear to be attached for long.
 * They count in windows, which are to be opened when all are attached. Closing detaches and frees everything.
 */
export class OverheadProbes implements Disposable {
  readonly #object: BpfObject
  readonly #programs: Program[]
  readonly #links: Link[] = []
  #windows = 0

  private constructor(object: BpfObject, programs: Program[]) {
    this.#object = object
    this.#programs = programs
  }

  /** Loads those that this kernel takes; throws libbpf-ts's BpfError. */
  static load(target: Target, types: KernelTypes): OverheadProbes {
    const object = openProbes('overheads', types)
    try {
      setTarget(object, target)
      object
        .variable('multiplex_syscalls')
        .set(listWaitSyscalls(process.arch)?.multiplex ?? toBits([], MAX_SYSCALLS))
      const hasCards = setNicIrqs(object, listArrivalIrqs())
      const programs = OVERHEAD_PROBES.filter(
        probe =>
          (probe.program !== 'irq_handler_entry' || hasCards) &&
          isFor(probe, target.service.protocol, target.role) &&
          findObstacle(probe.point, types.kind) === null,
      ).map(({ program }) => object.program(program))
      loadOnly(object, programs)
      const servicePids = object.map<number, number>('service_pids')
      for (const pid of target.pids.slice(0, servicePids.maxEntries)) servicePids.set(pid, 1)
      return new OverheadProbes(object, programs)
    } catch (error) {
      object.close()
      throw error
    }
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return this.#object.closed
  }

  /**
   * Attaches the probes, one at a time: for each the kernel patches its own code, during which a CPU does nothing else for up
   * to a millisecond. Throws BpfError; ends early when all is closed meanwhile, or by the signal.
   */
  async attach(signal?: AbortSignal): Promise<void> {
    for (const program of this.#programs) {
      if (this.closed || signal?.aborted) return
      this.#links.push(program.attach())
      await setTimeout(PAUSE_MS)
    }
  }

  /** Detaches them, in the same way and the other way round; harmless when done again. */
  async detach(): Promise<void> {
    for (let link = this.#links.pop(); link !== undefined; link = this.#links.pop()) {
      link.close()
      await setTimeout(PAUSE_MS)
    }
  }

  /** Has the probes count what begins from here on. */
  openWindow(): void {
    this.#object.variable('window').set(++this.#windows)
  }

  /** Has them count no more. */
  closeWindow(): void {
    this.#object.variable('window').set(0)
  }

  /** Gives what was counted in all windows so far. */
  read(): OverheadWords {
    const words = new Float64Array(OVERHEADS_SIZE / WORD)
    const bytes = this.#object.map('overheads').getBytes(new Uint8Array(4))
    const cpus = new BigUint64Array(bytes?.buffer ?? new ArrayBuffer(0))
    for (const [index, count] of cpus.entries()) {
      words[index % words.length] = (words[index % words.length] ?? 0) + Number(count)
    }
    return words
  }

  /** Gives how many runs of the probes the kernel has left out, because they came on top of one another. */
  countMissedRuns(): number {
    return countMissedRuns(this.#programs)
  }

  /** Has the probes time themselves until the result is disposed of. */
  time(): Timing {
    return timeProbes(this.#object)
  }

  /** Detaches and frees everything; harmless when done again. */
  close(): void {
    this.#object.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Gives the sums by name, and those of system calls by the calls' names, leaving out calls that nobody made. */
export const describeWords = (
  words: OverheadWords,
  arch: string,
): Omit<OverheadSample, 'requests' | 'seconds' | 'recursion'> => {
  const at = (offset: number): number => words[offset / WORD] ?? 0
  const sums = Object.fromEntries(OVERHEAD_SUMS.map(name => [name, at(OVERHEADS_OFFSETS[name])]))
  const names = listSyscallNames(arch)
  const uses = Array.from({ length: MAX_SYSCALLS }, (_, number) => {
    const start = OVERHEADS_OFFSETS.syscalls + number * SYSCALL_USE_SIZE
    return {
      name: number === MAX_SYSCALLS - 1 ? 'other' : (names.get(number) ?? `syscall_${number}`),
      entered: at(start + SYSCALL_USE_OFFSETS.entered),
      returned: at(start + SYSCALL_USE_OFFSETS.returned),
      cpuNs: at(start + SYSCALL_USE_OFFSETS.cpu_ns),
    }
  })
  return {
    ...(sums as Record<(typeof OVERHEAD_SUMS)[number], number>),
    syscalls: uses.filter(({ entered }) => entered > 0),
  }
}
