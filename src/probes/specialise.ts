import type { BpfObject, Program } from 'libbpf-ts'
import { MAX_CLIENTS } from '../system/clients.js'
import { MAX_PORTS, type Target } from '../system/target.js'
import { parseAddress } from '../text/address.js'
import { toBits } from './bits.js'

/** As many as the probes have a bit for, in bpf/cards.h. */
const MAX_IRQS = 4096

/** Tells the probes of an object, before its load, which service they are for, as bpf/target.h has it. */
export const setTarget = (object: BpfObject, { ports, netns }: Target): void => {
  object.variable('ports').set(fill(ports, MAX_PORTS))
  object.variable('netns').set(netns)
}

/** Tells them, before the load, which clients count, as bpf/clients.h has it. */
export const setClients = (object: BpfObject, { host, clients }: Target): void => {
  const address = host === undefined ? null : parseAddress(host)
  if (address !== null) object.variable('remote').set([...new Uint32Array(address.buffer)])
  object.variable('chooses_clients').set(clients !== undefined)
  if (clients !== undefined) object.map('clients').setMaxEntries(MAX_CLIENTS)
}

/** Tells them interrupts of network cards, and gives whether there are any. */
export const setNicIrqs = (object: BpfObject, numbers: readonly number[]): boolean => {
  const irqs = numbers.filter(irq => irq < MAX_IRQS)
  object.variable('nic_irqs').set(toBits(irqs, MAX_IRQS))
  return irqs.length > 0
}

/** Has no programs but these loaded. */
export const loadOnly = (object: BpfObject, programs: readonly Program[]): void => {
  for (const program of object.programs.values()) program.autoload = programs.includes(program)
  object.load()
}

/** Gives as many numbers as an array of the probes has, with zeros behind those that there are. */
export const fill = (numbers: readonly number[], length: number): number[] =>
  Array.from({ length }, (_, index) => numbers[index] ?? 0)

/** How many runs of programs the kernel has left out, because one came on top of another. */
export const countMissedRuns = (programs: readonly Program[]): number =>
  programs.reduce((sum, program) => sum + Number(program.info().recursionMisses), 0)
