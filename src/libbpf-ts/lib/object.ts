import { Btf, type BtfValue } from './btf/index.js'
import type { Value } from './codec.js'
import type { Link } from './link.js'
import { BpfMap } from './map.js'
import { native, type ObjectHandle } from './native.js'
import { checkOptions } from './options.js'
import { Program } from './program.js'
import { Variable } from './variable.js'

/** How to open an object. */
export interface OpenOptions {
  /** Names the object, and with its first letters the maps of its global data; by default after the file. */
  readonly name?: string
  /** A file with the kernel's types to relocate to, where the running kernel has none in /sys/kernel/btf. */
  readonly btfPath?: string
}

const find = <T>(all: ReadonlyMap<string, T>, name: string, what: string): T => {
  const found = all.get(name)
  if (found === undefined) {
    const names = [...all.keys()].join(', ') || 'none'
    throw new RangeError(`The object has no ${what} ${JSON.stringify(name)}, there are: ${names}`)
  }

  return found
}

/**
 * An opened object file: programs, maps and global data, that can be looked at and set before `load` hands them to
 * the kernel. Closing it closes its links and frees all of it; so does collecting it.
 */
export class BpfObject implements Disposable {
  readonly programs: ReadonlyMap<string, Program>
  readonly maps: ReadonlyMap<string, BpfMap>
  /** The global variables by name; empty when the object has no BTF. */
  readonly variables: ReadonlyMap<string, Variable>
  /** The types of the object, undefined when it was compiled without -g. */
  readonly btf: Btf | undefined

  readonly #handle: ObjectHandle
  readonly #links = new Set<Link>()
  #loaded = false

  private constructor(handle: ObjectHandle) {
    this.#handle = handle
    const btf = native.objectBtf(handle)
    this.btf = btf && Btf.parse(btf)
    const counts = native.objectCounts(handle)
    const owner = { links: this.#links, object: this }
    this.programs = new Map(
      Array.from({ length: counts.programs }, (_, index) => {
        const program = new Program(handle, index, owner)
        return [program.name, program]
      }),
    )
    this.maps = new Map(
      Array.from({ length: counts.maps }, (_, index) => {
        const map = new BpfMap(handle, index, this.btf)
        return [map.name, map]
      }),
    )
    this.variables = new Map([...this.#findVariables()].map(variable => [variable.name, variable]))
  }

  /**
   * Opens an object from a path or from its bytes, without talking to the kernel's BPF yet. Throws a BpfError when
   * it is not an object that libbpf reads. Objects are code for the kernel: open none that you would not run.
   */
  static open(source: string | Uint8Array, options: OpenOptions = {}): BpfObject {
    checkOptions(options, 'options', ['name', 'btfPath'])
    return new BpfObject(native.objectOpen(source, options.name, options.btfPath))
  }

  /** The name of the object. */
  get name(): string {
    return native.objectName(this.#handle)
  }

  /** Whether it is loaded. */
  get loaded(): boolean {
    return this.#loaded && !this.closed
  }

  /** Whether it was closed. */
  get closed(): boolean {
    return native.isClosed(this.#handle)
  }

  /** The links of its programs that are not closed. */
  get links(): ReadonlySet<Link> {
    return this.#links
  }

  /** Gives a program by name; throws a RangeError that lists those there are. */
  program(name: string): Program {
    return find(this.programs, name, 'program')
  }

  /** Gives a map by name; throws a RangeError that lists those there are. The types are the caller's promise. */
  map<Key = Value, V = Value>(name: string): BpfMap<Key, V> {
    return find(this.maps, name, 'map') as unknown as BpfMap<Key, V>
  }

  /** Gives a global variable by name; throws a RangeError that lists those there are. */
  variable<V = BtfValue>(name: string): Variable<V> {
    return find(this.variables, name, 'variable') as unknown as Variable<V>
  }

  /**
   * Loads maps and programs into the kernel, all of them or none; can be tried once. Throws a BpfError with the
   * program's name and the verifier's log.
   */
  load(): this {
    native.objectLoad(this.#handle)
    this.#loaded = true
    return this
  }

  /**
   * Closes the links and frees programs and maps; harmless when done again. Throws a BpfError when a link doesn't
   * close: that link and the object then stay open, to be closed later.
   */
  close(): void {
    const errors: unknown[] = []
    for (const link of this.#links) {
      try {
        link.close()
      } catch (error) {
        errors.push(error)
      }
    }

    // Only now: one link that stays must not keep the others attached.
    if (errors.length > 0) {
      throw errors[0]
    }

    native.closeHandle(this.#handle)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  *#findVariables(): Generator<Variable> {
    const { btf } = this
    for (const map of this.maps.values()) {
      const section = map.internal && map.valueTypeId > 0 ? btf?.type(map.valueTypeId) : undefined
      if (btf === undefined || section?.kind !== 'datasec') {
        continue
      }

      for (const variable of btf.datasec(section.name)?.variables ?? []) {
        if (variable.linkage !== 'extern') {
          yield new Variable(map, section.name, btf, variable, () => this.loaded)
        }
      }
    }
  }
}
