import { type LinkInfo, type MapInfo, native, type ProgramInfo } from './native.js'

/** Lists all programs that the kernel has loaded, by ascending id; throws a BpfError. */
export const listPrograms = (): ProgramInfo[] => native.listPrograms()

/** Lists all maps that the kernel has, by ascending id; throws a BpfError. */
export const listMaps = (): MapInfo[] => native.listMaps()

/** Lists all links that the kernel has, by ascending id; throws a BpfError. */
export const listLinks = (): LinkInfo[] => native.listLinks()

/** Has the kernel measure how often and how long programs run, until the result is disposed of or collected. */
export const enableRunStats = (): Disposable => {
  const handle = native.enableRunStats()
  return { [Symbol.dispose]: () => native.closeHandle(handle) }
}
