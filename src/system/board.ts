import { readFileSync } from 'node:fs'
import { printable } from '../text/printable.js'

/** The model of the machine, by its device tree or its DMI, null when it tells none; and whether it is a virtual one. */
export type Board = { model: string | null; isVirtual: boolean }

/** Gives what machine this is. */
export const describeBoard = (sys = '/sys', proc = '/proc'): Board => {
  const tree = readText(`${proc}/device-tree/model`)
  const dmi = [readText(`${sys}/class/dmi/id/sys_vendor`), readText(`${sys}/class/dmi/id/product_name`)]
    .join(' ')
    .trim()
  const model = printable(tree || dmi)
  const isVirtual =
    // x86 has a bit that every hypervisor sets (CPUID.1:ECX.31); ARM's hypervisors are in the device tree.
    /^flags\s*:.*\bhypervisor\b/m.test(readText(`${proc}/cpuinfo`)) ||
    readText(`${proc}/device-tree/hypervisor/compatible`) !== '' ||
    /\b(?:QEMU|KVM|VMware|VirtualBox|Xen)\b/.test(dmi)
  return { model: model === '' ? null : model, isVirtual }
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'latin1').replaceAll('\0', '').trim()
  } catch {
    return ''
  }
}
