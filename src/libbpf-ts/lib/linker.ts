import { renameSync, rmSync } from 'node:fs'
import { native } from './native.js'

/**
 * Links BPF object files into one, as `bpftool gen object` does, with their BTF merged and the sections of global
 * data laid out. The output appears whole or not at all. Throws a BpfError with what libbpf has to say.
 */
export const linkObjects = (output: string, inputs: readonly string[]): void => {
  if (typeof output !== 'string') {
    throw new TypeError('output must be a string')
  }

  if (output === '' || output.includes('\0')) {
    throw new RangeError('output must be a path')
  }

  const unfinished = `${output}.${process.pid}.tmp`
  try {
    native.linkObjects(unfinished, inputs)
    renameSync(unfinished, output)
  } catch (error) {
    rmSync(unfinished, { force: true })
    throw error
  }
}
