import { Iter, Link, type LinkOwner } from './link.js'
import type { BpfMap } from './map.js'
import { type LinkHandle, native, type ObjectHandle, type ProgramInfo } from './native.js'
import { checkOptions, toBigInt } from './options.js'
import { type PerfEvent, resolvePerfEvent } from './perf-event.js'
import { findPlace } from './place.js'

/** Where a uprobe goes: a symbol, an offset into the file, or an offset behind a symbol. */
export interface UprobeTarget {
  /** Path of the executable or shared library; a bare name is looked up as the loader does. */
  readonly binary: string
  readonly symbol?: string
  /** Bytes: from the symbol if there is one, otherwise from the start of the file. */
  readonly offset?: number | bigint
  /** One process only; by default every one. */
  readonly pid?: number
  /** Whether to run at the function's return. */
  readonly retprobe?: boolean
}

/** Where a tc filter goes. */
export interface TcTarget {
  readonly interface: string
  readonly direction: 'ingress' | 'egress'
  /** 1 to 65535, lower ones run first; by default the kernel chooses. */
  readonly priority?: number
  readonly handle?: number
}

/** A program of an object. */
export class Program {
  readonly name: string
  /** The section that says how it attaches, as `tp_btf/sched_switch`. */
  readonly sectionName: string
  /** The program type as libbpf names it, as `tracing` or `xdp`. */
  readonly type: string

  readonly #object: ObjectHandle
  readonly #index: number
  readonly #owner: LinkOwner

  /** Objects make their programs; see `BpfObject.program`. */
  constructor(object: ObjectHandle, index: number, owner: LinkOwner) {
    const { name, sectionName, type } = native.programDescribe(object, index)
    this.name = name
    this.sectionName = sectionName
    this.type = type
    this.#object = object
    this.#index = index
    this.#owner = owner
  }

  /** Whether the object's load loads this program; set before the load, later it throws a BpfError. */
  get autoload(): boolean {
    return native.programAutoload(this.#object, this.#index)
  }

  set autoload(autoload: boolean) {
    native.programSetAutoload(this.#object, this.#index, autoload)
  }

  /** The file descriptor, undefined while the program is not loaded. It is closed with the object. */
  get fd(): number | undefined {
    const fd = native.programFd(this.#object, this.#index)
    return fd < 0 ? undefined : fd
  }

  /** Gives what the kernel tells of the loaded program: id, tag, run times. */
  info(): ProgramInfo {
    return native.programInfo(this.#object, this.#index)
  }

  /** Attaches as the section says; throws a BpfError. */
  attach(): Link {
    return this.#link(native.attach(this.#object, this.#index))
  }

  /** Attaches to a raw tracepoint, as `sched_switch`; throws a BpfError. */
  attachRawTracepoint(name: string): Link {
    return this.#link(native.attachRawTracepoint(this.#object, this.#index, name))
  }

  /** Attaches to a tracepoint, as `sched` and `sched_switch`; needs tracefs; throws a BpfError. */
  attachTracepoint(category: string, name: string): Link {
    return this.#link(native.attachTracepoint(this.#object, this.#index, category, name))
  }

  /** Opens a perf event and attaches to it; throws a BpfError. */
  attachPerfEvent(event: PerfEvent): Link {
    const { type, config, byFrequency, sample, pid, cpu } = resolvePerfEvent(event)
    return this.#link(
      native.attachPerfEvent(this.#object, this.#index, type, config, byFrequency, sample, pid, cpu),
    )
  }

  /** Attaches to a place in an executable or library; throws a BpfError. */
  attachUprobe(target: UprobeTarget): Link {
    checkOptions(target, 'target', ['binary', 'symbol', 'offset', 'pid', 'retprobe'])
    const { binary, symbol, offset, pid = -1, retprobe = false } = target
    if (symbol === undefined && offset === undefined) {
      throw new TypeError('target must have a symbol or an offset')
    }

    return this.#link(
      native.attachUprobe(
        this.#object,
        this.#index,
        binary,
        symbol,
        toBigInt(offset ?? 0n, 'offset'),
        pid,
        retprobe,
      ),
    )
  }

  /** Attaches to a cgroup by its path in a cgroup2 file system; throws a BpfError. */
  attachCgroup(path: string): Link {
    return this.#link(native.attachCgroup(this.#object, this.#index, path))
  }

  /** Attaches to the packets that a network interface receives, before the stack; throws a BpfError. */
  attachXdp(interfaceName: string): Link {
    return this.#link(native.attachXdp(this.#object, this.#index, interfaceName))
  }

  /**
   * Attaches as a tc filter; throws a BpfError. Makes the interface's clsact qdisc when there is none, and removes
   * it again with the last filter. A filter is not a link of the kernel: it stays when the process is killed.
   */
  attachTc(target: TcTarget): Link {
    checkOptions(target, 'target', ['interface', 'direction', 'priority', 'handle'])
    const { direction, priority = 0, handle = 0 } = target
    if (direction !== 'ingress' && direction !== 'egress') {
      throw new TypeError(`direction must be 'ingress' or 'egress'`)
    }

    return this.#link(
      native.attachTc(this.#object, this.#index, target.interface, direction === 'egress', priority, handle),
    )
  }

  /**
   * Attaches an iterator, to be read as often as wanted; one over the elements of a map takes that. Throws a BpfError, and
   * a TypeError when it is no map.
   */
  attachIter<Key, V>(map?: BpfMap<Key, V>): Iter {
    if (map === undefined) return new Iter(native.attachIter(this.#object, this.#index), this.#owner)
    const { object, index } = findPlace(map, 'map')
    return new Iter(native.attachMapIter(this.#object, this.#index, object, index), this.#owner)
  }

  #link(handle: LinkHandle): Link {
    return new Link(handle, this.#owner)
  }
}
