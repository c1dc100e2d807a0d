import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** How far above a network device the one may be that interrupts for it: a virtio or USB device on its PCI function. */
const MAX_PARENTS = 6

/**
 * Gives the numbers of the interrupts by which this namespace's network devices tell of packets: those of the device, or
 * of the nearest one above it that has any, and those that carry its name. A USB adapter shares its controller's.
 *
 * See Documentation/ABI/testing/sysfs-bus-pci (msi_irqs) and the proc(5) page on /proc/interrupts. What can't be read is
 * left out.
 */
export const listNicIrqs = (sys = '/sys', proc = '/proc'): number[] => {
  const irqs = listEntries(join(sys, 'class/net')).flatMap(nic => listDeviceIrqs(nic, sys, proc))
  return [...new Set(irqs)].sort((a, b) => a - b)
}

/** Gives the numbers of the interrupts of one network device, as `listNicIrqs` finds them. */
export const listDeviceIrqs = (nic: string, sys = '/sys', proc = '/proc'): number[] => {
  const device = resolve(join(sys, 'class/net', nic, 'device'))
  if (device === null) return []
  const names = [nic, basename(device)]
  const named = readNamedIrqs(proc).filter(({ name }) => names.some(own => isOf(name, own)))
  return [...new Set([...findDeviceIrqs(device, sys), ...named.map(({ irq }) => irq)])]
}

/** eth0 has the interrupts eth0, eth0-rx-0, eth0:tx and eth0@queue, but not those of eth01. */
const isOf = (name: string, own: string): boolean =>
  name === own || (/^[^\w]/.test(name.slice(own.length)) && name.startsWith(own))

const findDeviceIrqs = (device: string, sys: string): number[] => {
  let place = device
  for (let level = 0; level < MAX_PARENTS && place.startsWith(`${sys}/devices/`); level++) {
    const irqs = listEntries(join(place, 'msi_irqs')).map(Number)
    if (irqs.length > 0) return irqs
    const line = Number(readText(join(place, 'irq')))
    if (line > 0) return [line]
    place = dirname(place)
  }
  return []
}

const readNamedIrqs = (proc: string): { irq: number; name: string }[] =>
  readText(join(proc, 'interrupts'))
    .split('\n')
    .flatMap(line => {
      const irq = /^ *(\d+):/.exec(line)?.[1]
      // A shared line has several names, with commas between.
      const names = line.split(/[\s,]+/).filter(word => word !== '')
      return irq === undefined ? [] : names.slice(1).map(name => ({ irq: Number(irq), name }))
    })

const listEntries = (path: string): string[] => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

const resolve = (path: string): string | null => {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}
