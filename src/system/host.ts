import { cpus, hostname, machine, release, totalmem } from 'node:os'
import { printable } from '../text/printable.js'
import { readDeviceTree } from './board.js'

/** The machine a measurement was made on, as the `host` of the JSON output. */
export type Host = {
  hostname: string
  kernel: string
  architecture: string
  cpus: number
  cpu_model: string
  memory_bytes: number
}

/** Gives the machine's name, kernel release, architecture as `uname -m` has it, CPUs in use and memory in bytes. */
export const describeHost = (): Host => ({
  hostname: printable(hostname()),
  kernel: release(),
  architecture: machine(),
  cpus: cpus().length,
  cpu_model: readModel(),
  memory_bytes: totalmem(),
})

/** ARM's /proc/cpuinfo names no model; the device tree names the board. */
const readModel = (): string => {
  const model = cpus()[0]?.model.trim()
  if (model && model !== 'unknown') return printable(model)
  return printable(readDeviceTree('model')) || 'unknown'
}
