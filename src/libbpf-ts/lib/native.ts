import { createRequire } from 'node:module'
import { BpfError } from './error.js'

declare const handleBrand: unique symbol

/** What the addon hands out: opaque, tagged with its kind, released by `closeHandle` or by the collector. */
export interface Handle<Kind extends string> {
  readonly [handleBrand]: Kind
}

/** A handle of an opened object; programs and maps are indices into it. */
export type ObjectHandle = Handle<'object'>
/** A handle of what holds a program attached. */
export type LinkHandle = Handle<'link'>
/** A handle of a ring buffer's mapped pages and its place in the event loop. */
export type RingHandle = Handle<'ring'>

/** What the kernel tells of a loaded program. */
export interface ProgramInfo {
  readonly id: number
  readonly name: string
  readonly type: string
  /** A hash of the program's instructions. */
  readonly tag: string
  /** Nanoseconds that it has run; counts only while statistics are enabled. */
  readonly runTimeNs: bigint
  /** Times that it has run; counts only while statistics are enabled. */
  readonly runCount: bigint
  /** Runs left out since the program was running already on that CPU. */
  readonly recursionMisses: bigint
  readonly verifiedInstructions: number
  readonly jitedBytes: number
}

/** What the kernel tells of a map. */
export interface MapInfo {
  readonly id: number
  readonly name: string
  readonly type: string
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
}

/** What the kernel tells of a link. */
export interface LinkInfo {
  readonly id: number
  readonly type: string
  readonly programId: number
}

/** A map as the object describes it; sizes in bytes, `valueStride` is what one look-up writes. */
export interface MapDescription {
  readonly name: string
  readonly type: string
  readonly keySize: number
  readonly valueSize: number
  readonly valueStride: number
  readonly maxEntries: number
  readonly flags: number
  readonly mmapable: boolean
  readonly internal: boolean
  readonly keyTypeId: number
  readonly valueTypeId: number
}

type LookupMany = (
  object: ObjectHandle,
  map: number,
  first: boolean,
  token: Uint8Array,
  keys: Uint8Array,
  values: Uint8Array,
  capacity: number,
) => number

/** The functions of the addon, one for each `export_function` in native/. */
export interface Native {
  readonly libbpfVersion: string
  setErrorFactory(
    factory: (errno: number, operation: string, subject: string, messages: string) => Error,
  ): void
  closeHandle(handle: Handle<string>): void
  isClosed(handle: Handle<string>): boolean

  objectOpen(source: string | Uint8Array, name: string | undefined, btfPath: string | undefined): ObjectHandle
  objectLoad(object: ObjectHandle): void
  objectName(object: ObjectHandle): string
  objectBtf(object: ObjectHandle): Uint8Array | undefined
  objectCounts(object: ObjectHandle): { readonly programs: number; readonly maps: number }

  programDescribe(
    object: ObjectHandle,
    program: number,
  ): { readonly name: string; readonly sectionName: string; readonly type: string }
  programAutoload(object: ObjectHandle, program: number): boolean
  programSetAutoload(object: ObjectHandle, program: number, autoload: boolean): void
  programFd(object: ObjectHandle, program: number): number
  programInfo(object: ObjectHandle, program: number): ProgramInfo

  attach(object: ObjectHandle, program: number): LinkHandle
  attachRawTracepoint(object: ObjectHandle, program: number, name: string): LinkHandle
  attachTracepoint(object: ObjectHandle, program: number, category: string, name: string): LinkHandle
  attachPerfEvent(
    object: ObjectHandle,
    program: number,
    type: number,
    config: bigint,
    byFrequency: boolean,
    sample: bigint,
    pid: number,
    cpu: number,
  ): LinkHandle
  attachUprobe(
    object: ObjectHandle,
    program: number,
    binary: string,
    symbol: string | undefined,
    offset: bigint,
    pid: number,
    retprobe: boolean,
  ): LinkHandle
  attachCgroup(object: ObjectHandle, program: number, path: string): LinkHandle
  attachXdp(object: ObjectHandle, program: number, interfaceName: string): LinkHandle
  attachTc(
    object: ObjectHandle,
    program: number,
    interfaceName: string,
    egress: boolean,
    priority: number,
    handle: number,
  ): LinkHandle
  attachIter(object: ObjectHandle, program: number): LinkHandle
  attachMapIter(object: ObjectHandle, program: number, mapObject: ObjectHandle, map: number): LinkHandle

  linkDetach(link: LinkHandle): boolean
  linkPin(link: LinkHandle, path: string): void
  linkUnpin(link: LinkHandle): void
  linkPinPath(link: LinkHandle): string | undefined
  linkInfo(link: LinkHandle): LinkInfo
  iterRead(link: LinkHandle): Uint8Array

  mapDescribe(object: ObjectHandle, map: number): MapDescription
  mapInfo(object: ObjectHandle, map: number): MapInfo
  mapSetMaxEntries(object: ObjectHandle, map: number, maxEntries: number): void
  mapGet(object: ObjectHandle, map: number, key: Uint8Array, into: Uint8Array): boolean
  mapSet(object: ObjectHandle, map: number, key: Uint8Array, value: Uint8Array, flags: number): void
  mapDelete(object: ObjectHandle, map: number, key: Uint8Array): boolean
  mapInitialValue(object: ObjectHandle, map: number): Uint8Array | undefined
  mapWriteInitialValue(object: ObjectHandle, map: number, offset: number, bytes: Uint8Array): void
  mapMmap(object: ObjectHandle, map: number): ArrayBuffer
  mapLookupBatch: LookupMany
  mapLookupEach: LookupMany

  ringOpen(objects: readonly ObjectHandle[], maps: readonly number[], callback: () => void): RingHandle
  ringStart(ring: RingHandle): void
  ringStop(ring: RingHandle): void
  ringRef(ring: RingHandle, alive: boolean): void
  ringDrain(ring: RingHandle, index: number, buffer: Uint8Array, offsets: Uint32Array): number
  ringUnread(ring: RingHandle, index: number): number

  linkObjects(output: string, inputs: readonly string[]): void
  listPrograms(): ProgramInfo[]
  listMaps(): MapInfo[]
  listLinks(): LinkInfo[]
  enableRunStats(): Handle<'statistics'>

  probeProgramType(type: number): boolean
  probeMapType(type: number): boolean
  probeHelper(type: number, helper: number): boolean
  probeTracepoint(tracepoint: string, typed: boolean): number
  probeIterator(target: string): number
  programTypes(): string[]
  mapTypes(): string[]
  helpers(): string[]
  possibleCpus(): number
}

const loadAddon = (): Native => {
  try {
    const addon: Native = createRequire(import.meta.url)('../libbpf.node')
    addon.setErrorFactory(
      (errno, operation, subject, messages) => new BpfError({ errno, operation, subject, messages }),
    )
    return addon
  } catch (cause) {
    throw new Error(
      'The addon of libbpf-ts does not load: build it with `npm run build` in its folder (it needs a C compiler ' +
        'and libbpf-dev), and have libbpf.so.1 installed where it runs',
      { cause },
    )
  }
}

/** The loaded addon. */
export const native = loadAddon()
