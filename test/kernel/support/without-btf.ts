import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolder } from './folder.js'
import type { Context } from './kernel-test.js'
import { type Measurement, startMeasuringBy } from './taut.js'

/** The file is copied first; then an empty folder takes the place of the kernel's. */
const WITHHOLD = 'mount --bind "$1" /sys/kernel/btf && shift && exec "$@"'

/** Gives what has a program run as on a kernel without BTF, and a copy of what that has. */
export const withholdBtf = async (t: Context): Promise<{ by: string[]; file: string }> => {
  const folder = await createFolder(t)
  const [file, empty] = [join(folder, 'btf'), join(folder, 'empty')]
  await copyFile('/sys/kernel/btf/vmlinux', file)
  await mkdir(empty)
  return { by: ['unshare', '--mount', 'sh', '-c', WITHHOLD, 'sh', empty], file }
}

/** Starts `taut measure` as on a kernel without BTF, with that in a file. */
export const startWithoutBtf = async (t: Context, ...target: (string | number)[]): Promise<Measurement> => {
  const { by, file } = await withholdBtf(t)
  return startMeasuringBy(t, by, [...target, '--btf', file])
}
