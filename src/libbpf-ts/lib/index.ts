export { Batch } from './batch.js'
export * from './btf/index.js'
export type { Value } from './codec.js'
export type { RawEntries } from './entries.js'
export { BpfError } from './error.js'
export {
  type AttachProbe,
  canAttachTracepoint,
  type Features,
  hasKernelBtf,
  libbpfVersion,
  possibleCpus,
  probeAttach,
  probeFeatures,
  probeHelper,
  probeIter,
  probeMapType,
  probeProgramType,
  type TracepointKind,
} from './feature.js'
export { enableRunStats, listLinks, listMaps, listPrograms } from './kernel.js'
export { Iter, Link } from './link.js'
export { linkObjects } from './linker.js'
export { BpfMap, type UpdateMode } from './map.js'
export type { LinkInfo, MapInfo, ProgramInfo } from './native.js'
export { BpfObject, type OpenOptions } from './object.js'
export { type PerfEvent, perfTypes } from './perf-event.js'
export { Program, type TcTarget, type UprobeTarget } from './program.js'
export { RingBuffer, type RingBufferOptions, type RingUsage } from './ring-buffer.js'
export { Variable } from './variable.js'
