import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { readText } from './files.js'

/**
 * What machine this is, for people, null when nothing tells; and whether it is a virtual one, as far as it can tell.
 */
export type Board = { model: string | null; isVirtual: boolean }

/** What makers leave in the tables of a PC. */
const PLACEHOLDER =
  /^(?:default string|none|not specified|o\.e\.m\.|system (?:manufacturer|product name)|to be filled by .*)?$/i

/**
 * What virtual machines have in the tables of a PC, by maker or by product; after systemd's src/basic/virt.c. Arm has
 * no flag of the CPU that would tell.
 */
const VIRTUAL =
  /^(?:Apple Virtualization|BHYVE|Bochs|Google Compute Engine|Hyper-V|innotek GmbH|KVM|KubeVirt|OpenStack|Parallels|QEMU|VMware|VirtualBox|Xen)\b/

/** Gives what the device tree or the firmware's tables tell of the machine. */
export const describeBoard = (sys = '/sys', proc = '/proc'): Board => {
  const vendor = readText(join(sys, 'class/dmi/id/sys_vendor')) ?? ''
  const product = readText(join(sys, 'class/dmi/id/product_name')) ?? ''
  const names = [vendor, product].filter(name => !PLACEHOLDER.test(name))
  const told = names.length === 2 && product.startsWith(vendor) ? product : names.join(' ')
  const model = printable(readDeviceTree('model', proc) || told)
  return { model: model === '' ? null : model, isVirtual: isVirtual(vendor, product, sys, proc) }
}

const isVirtual = (vendor: string, product: string, sys: string, proc: string): boolean => {
  // x86 has a flag for what runs below a hypervisor.
  const flags = /^flags\s*:(.*)$/m.exec(readText(join(proc, 'cpuinfo')) ?? '')?.[1]
  if (flags !== undefined) return flags.split(' ').includes('hypervisor')
  return (
    existsSync(join(proc, 'device-tree/hypervisor')) ||
    existsSync(join(sys, 'hypervisor/type')) ||
    readDeviceTree('compatible', proc).split(' ').includes('linux,dummy-virt') ||
    [vendor, product].some(name => VIRTUAL.test(name)) ||
    // Machines of Amazon's without a hypervisor are named m6g.metal and the like.
    (vendor === 'Amazon EC2' && !/\.metal\b/.test(product)) ||
    // Microsoft makes machines that can be touched, too.
    (vendor === 'Microsoft Corporation' && product === 'Virtual Machine')
  )
}

/**
 * Gives a property's texts in the device tree with spaces between; each ends with a zero byte. Empty where there is
 * none.
 */
export const readDeviceTree = (property: string, proc = '/proc'): string =>
  (readText(join(proc, 'device-tree', property)) ?? '').replaceAll('\0', ' ').trim()
