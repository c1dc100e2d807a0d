import { basename, join } from 'node:path'
import { printable } from '../text/printable.js'
import {
  listDevicesUpwards,
  listEntries,
  listNumbered,
  readInteger,
  readNatural,
  readText,
  resolveLink,
} from './files.js'
import { type Interrupt, readInterrupts } from './interrupts.js'
import { findNicIrqs, findUsbIrqs, splitNames } from './nic-irqs.js'
import { parseQueueName, type QueueName } from './queue-names.js'

/**
 * A network device of this namespace. What the kernel doesn't tell is null.
 *
 * `isPhysical` has a device behind it, be it emulated; bridges, tunnels and the like have none. `isUp` is set up and,
 * as far as its driver tells, has a link. `node` is the NUMA node. Packets are counted since the device was made.
 */
export type Nic = {
  name: string
  driver: string | null
  isPhysical: boolean
  isUp: boolean
  node: number | null
  rxQueues: number[]
  txQueues: number[]
  irqs: NicIrq[]
  rxPackets: number
  txPackets: number
  speedMbps: number | null
}

/**
 * An interrupt of a network device that a driver handles; `queue` and `direction` are null where the name tells none.
 */
export type NicIrq = { irq: number; name: string } & QueueName

const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
/** A driver that doesn't know about its link has "unknown". */
const UP_STATES = new Set(['up', 'unknown'])

/**
 * Gives this namespace's network devices without loopback, by name.
 *
 * See Documentation/ABI/testing/sysfs-class-net. A device whose name has characters that don't print is left out: it
 * could not be shown as what it is.
 */
export const listNics = (sys = '/sys', proc = '/proc'): Nic[] => {
  const interrupts = readInterrupts(proc)
  return listEntries(join(sys, 'class/net'))
    .filter(name => printable(name) === name)
    .sort()
    .flatMap(name => readNic(name, interrupts, sys) ?? [])
}

/** Gives the network device of a name, loopback too; null where there is none. */
export const findNic = (name: string, sys = '/sys', proc = '/proc'): Nic | null =>
  listEntries(join(sys, 'class/net')).includes(name) ? readDevice(name, readInterrupts(proc), sys) : null

/** Gives the names of the devices that one is made of: a bridge's ports, a VLAN's card; none for one of its own. */
export const listLowerNics = (name: string, sys = '/sys'): string[] =>
  listEntries(join(sys, 'class/net', name))
    .filter(entry => entry.startsWith('lower_'))
    .map(entry => entry.slice('lower_'.length))

const readNic = (name: string, interrupts: readonly Interrupt[], sys: string): Nic | null =>
  isLoopback(name, sys) ? null : readDevice(name, interrupts, sys)

const readFlags = (name: string, sys: string): number | null => {
  const flags = /^0x([\da-f]{1,8})$/i.exec(readText(join(sys, 'class/net', name, 'flags')) ?? '')?.[1]
  return flags === undefined ? null : Number.parseInt(flags, 16)
}

const isLoopback = (name: string, sys: string): boolean => ((readFlags(name, sys) ?? 0) & IFF_LOOPBACK) !== 0

const readDevice = (name: string, interrupts: readonly Interrupt[], sys: string): Nic | null => {
  const folder = join(sys, 'class/net', name)
  // There is a file among the devices where bonding is loaded: bonding_masters.
  const flags = readFlags(name, sys)
  if (flags === null) return null

  const device = resolveLink(join(folder, 'device'))
  const driver = device === null ? null : resolveLink(join(device, 'driver'))
  const speed = readInteger(join(folder, 'speed'))
  return {
    name,
    driver: driver === null ? null : printable(basename(driver)),
    isPhysical: device !== null,
    isUp: (flags & IFF_UP) !== 0 && UP_STATES.has(readText(join(folder, 'operstate')) ?? ''),
    node: device === null ? null : findNode(device, sys),
    rxQueues: listNumbered(join(folder, 'queues'), 'rx-'),
    txQueues: listNumbered(join(folder, 'queues'), 'tx-'),
    irqs: findIrqs(name, interrupts, sys),
    rxPackets: readNatural(join(folder, 'statistics/rx_packets')) ?? 0,
    txPackets: readNatural(join(folder, 'statistics/tx_packets')) ?? 0,
    // Unknown is −1, of which old kernels make 2^32 − 1 or 65535.
    speedMbps: speed !== null && speed > 0 && speed !== 0xffff && speed < 0x7fffffff ? speed : null,
  }
}

const findIrqs = (nic: string, interrupts: readonly Interrupt[], sys: string): NicIrq[] => {
  const own = findNicIrqs(nic, interrupts, sys)
  // An adapter on USB whose controller is on PCI has that one's already.
  const irqs = own.length > 0 ? own : findUsbIrqs(nic, interrupts, sys)
  return interrupts
    .filter(({ irq, name }) => name !== '' && irqs.includes(irq))
    .map(({ irq, name }) => ({ irq, name, ...findQueue(name, nic) }))
}

/** Of a line that several share, the first name that tells a queue. */
const findQueue = (name: string, nic: string): QueueName =>
  splitNames(name)
    .map(word => parseQueueName(word, nic))
    .find(({ queue, direction }) => queue !== null || direction !== null) ?? { queue: null, direction: null }

const findNode = (device: string, sys: string): number | null => {
  for (const place of listDevicesUpwards(device, sys)) {
    const node = readInteger(join(place, 'numa_node'))
    if (node !== null) return node < 0 ? null : node
  }
  return null
}

/**
 * Gives the device that most packets came by, null for none. Of those that are up and physical where there are any,
 * otherwise of those that are up, and of all only where none is.
 */
export const findBusiestNic = (nics: readonly Nic[]): Nic | null =>
  nics.toSorted((a, b) => rank(b) - rank(a) || b.rxPackets - a.rxPackets)[0] ?? null

const rank = ({ isUp, isPhysical }: Nic): number => (isUp ? (isPhysical ? 2 : 1) : 0)
