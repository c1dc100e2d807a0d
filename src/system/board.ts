import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { readText } from './files.js'

/** What machine this is, for people, null when nothing tells; and whether it is a virtual one, as far as it can tell. */
export type Board = { model: string | null; isVirtual: boolean }

/** What makers leave in the tables of a PC. */
const PLACEHOLDER =
  /^(?:default string|none|not specified|o\.e\.m\.|system (?:manufacturer|product name)|to be filled by .*)?$/i

/**
 * What virtual machines have in the tables of a PC, by maker or by product; after systemd's src/basic/virt.c. Arm has nothing
 * else that would tell.
 */
const VIRTUAL =
  /^(?:Amazon EC2|Apple Virtualization|BHYVE|Bochs|Google Compute Engine|Hyper-V|innotek GmbH|KVM|KubeVirt|OpenStack|Parallels|QEMU|VMware|VirtualBox|Xen)\b/

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
  // Machines of Amazon's without a hypervisor are named m6g.metal and the like.
  if (vendor === 'Amazon EC2' && /\.metal\b/.test(product)) return false
  return (
    hasHypervisorFlag(proc) ||
    existsSync(join(proc, 'device-tree/hypervisor')) ||
    readDeviceTree('compatible', proc).split(' ').includes('linux,dummy-virt') ||
    [vendor, product].some(name => VIRTUAL.test(name)) ||
    // Microsoft makes machines that can be touched, too.
    (vendor === 'Microsoft Corporation' && product === 'Virtual Machine') ||
    // A guest of Xen on Arm has no tables; its host is one of the guests, which alone has control.
    (readText(join(sys, 'hypervisor/type')) === 'xen' && !isXenHost(proc))
  )
}

/** x86's flag for what runs below a hypervisor. */
const hasHypervisorFlag = (proc: string): boolean =>
  / hypervisor(?: |$)/.test(/^flags\s*:.*$/m.exec(readText(join(proc, 'cpuinfo')) ?? '')?.[0] ?? '')

const isXenHost = (proc: string): boolean =>
  (readText(join(proc, 'xen/capabilities')) ?? '').includes('control_d')

/** Gives a property's texts with spaces between; each ends with a zero byte. */
const readDeviceTree = (property: string, proc: string): string =>
  (readText(join(proc, 'device-tree', property)) ?? '').replaceAll('\0', ' ').trim()
