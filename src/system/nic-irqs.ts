import { basename, join } from 'node:path'
import { listDevicesUpwards, listEntries, listNumbered, readNatural, resolveLink } from './files.js'
import { type Interrupt, readInterrupts } from './interrupts.js'
import { parseQueueName, type QueueName } from './queue-names.js'

/** Gives the numbers of all interrupts of this namespace's network devices. What can't be read is left out. */
export const listNicIrqs = (interrupts: readonly Interrupt[], sys = '/sys'): number[] =>
  order(listNics(sys).flatMap(nic => findNicIrqs(nic, interrupts, sys)))

/**
 * Gives the numbers of the interrupts by which this namespace's network devices tell of received packets: not those that their
 * names tell from the ones that do. What can't be read is left out.
 */
export const listArrivalIrqs = (sys = '/sys', proc = '/proc'): number[] => listOf(listNics(sys), sys, proc)

/**
 * Gives those of them that lead to a softirq that receives: not those of a device whose packets threads receive (threaded
 * NAPI).
 *
 * See Documentation/ABI/testing/sysfs-class-net (threaded).
 */
export const listReceiveIrqs = (sys = '/sys', proc = '/proc'): number[] => {
  // 1, and since 6.19 2 as well; absent before 5.12.
  const isThreaded = (nic: string): boolean => (readNatural(join(sys, 'class/net', nic, 'threaded')) ?? 0) > 0
  return listOf(
    listNics(sys).filter(nic => !isThreaded(nic)),
    sys,
    proc,
  )
}

const listNics = (sys: string): string[] => listEntries(join(sys, 'class/net'))

const listOf = (nics: readonly string[], sys: string, proc: string): number[] => {
  const interrupts = readInterrupts(proc)
  return order(nics.flatMap(nic => findReceiveIrqs(nic, interrupts, sys)))
}

const findReceiveIrqs = (nic: string, interrupts: readonly Interrupt[], sys: string): number[] => {
  const irqs = findNicIrqs(nic, interrupts, sys).map(irq => {
    const name = interrupts.find(interrupt => interrupt.irq === irq)?.name ?? ''
    return { irq, uses: splitNames(name).map(word => parseQueueName(word, nic)) }
  })
  const receives = ({ queue, direction }: QueueName): boolean =>
    direction === null ? queue !== null : direction !== 'tx'
  const receiving = irqs.filter(({ uses }) => uses.some(receives))
  // Where no name tells, each may.
  return (receiving.length > 0 ? receiving : irqs).map(({ irq }) => irq)
}

/**
 * Gives the numbers, in order, of one network device's interrupts, among them those that tell of its state: those of
 * the device, or of the nearest one above it that has any, and those that carry its name.
 *
 * See Documentation/ABI/testing/sysfs-bus-pci (msi_irqs) and the proc(5) page on /proc/interrupts.
 */
export const findNicIrqs = (nic: string, interrupts: readonly Interrupt[], sys = '/sys'): number[] => {
  const device = resolveLink(join(sys, 'class/net', nic, 'device'))
  if (device === null) return []
  const names = [nic, basename(device)]
  const named = interrupts.filter(({ name }) =>
    splitNames(name).some(word => names.some(own => isOf(word, own))),
  )
  return order([...findDeviceIrqs(device, sys), ...named.map(({ irq }) => irq)])
}

/**
 * Gives the numbers, in order, of the interrupts that a network adapter on USB shares with all else on its bus: on a
 * board its controller has none in sysfs, but /proc/interrupts names them after the bus, as xhci-hcd:usb1.
 */
export const findUsbIrqs = (nic: string, interrupts: readonly Interrupt[], sys = '/sys'): number[] => {
  const device = resolveLink(join(sys, 'class/net', nic, 'device')) ?? ''
  const bus = device.split('/').find(part => /^usb\d+$/.test(part))
  if (bus === undefined) return []
  return interrupts
    .filter(({ name }) => splitNames(name).some(word => word.endsWith(`:${bus}`)))
    .map(({ irq }) => irq)
}

/** A shared line has several names, with commas between, and some drivers put their own before the device's. */
export const splitNames = (name: string): string[] => name.split(/[\s,]+/).filter(word => word !== '')

/** eth0 has the interrupts eth0, eth0-rx-0, eth0:tx and eth0@queue, but not those of eth01. */
const isOf = (name: string, own: string): boolean =>
  name === own || (/^[^\w]/.test(name.slice(own.length)) && name.startsWith(own))

const order = (irqs: readonly number[]): number[] => [...new Set(irqs)].sort((a, b) => a - b)

const findDeviceIrqs = (device: string, sys: string): number[] => {
  for (const place of listDevicesUpwards(device, sys)) {
    const irqs = listNumbered(join(place, 'msi_irqs'))
    if (irqs.length > 0) return irqs
    const line = readNatural(join(place, 'irq'))
    if (line !== null && line > 0) return [line]
  }
  return []
}
