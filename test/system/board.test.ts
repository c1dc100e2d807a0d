import { spawnSync } from 'node:child_process'
import test from 'ava'
import { describeBoard } from '../../src/system/board.js'
import { createMachine } from './fixtures/machine.js'

const dmi = (vendor: string, product: string) => ({
  'sys/class/dmi/id/sys_vendor': `${vendor}\n`,
  'sys/class/dmi/id/product_name': `${product}\n`,
})
const tree = (model: string, compatible: string) => ({
  'proc/device-tree/model': `${model}\0`,
  'proc/device-tree/compatible': `${compatible}\0`,
})
const arm = {
  'proc/cpuinfo': 'processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n',
}
const x86 = (flags: string) => ({
  'proc/cpuinfo': `processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t: spectre_v1\n`,
})

const MACHINES: readonly [
  of: string,
  files: Record<string, string>,
  model: string | null,
  isVirtual: boolean,
][] = [
  [
    'a Raspberry Pi 5',
    { ...arm, ...tree('Raspberry Pi 5 Model B Rev 1.0', 'raspberrypi,5-model-b\0brcm,bcm2712') },
    'Raspberry Pi 5 Model B Rev 1.0',
    false,
  ],
  [
    'a board that would steer a terminal',
    { ...arm, ...tree('Tinker\u001B[2J Board\n', 'asus,rk3288-tinker') },
    'Tinker Board',
    false,
  ],
  // https://github.com/apache/nuttx/pull/10125, where QEMU's is shown
  [
    'QEMU on Arm without firmware',
    { ...arm, ...tree('linux,dummy-virt', 'linux,dummy-virt') },
    'linux,dummy-virt',
    true,
  ],
  [
    'QEMU on Arm with firmware',
    { ...arm, ...dmi('QEMU', 'KVM Virtual Machine') },
    'QEMU KVM Virtual Machine',
    true,
  ],
  // https://github.com/systemd/systemd/issues/18929
  ['Graviton', { ...arm, ...dmi('Amazon EC2', 'm6g.large') }, 'Amazon EC2 m6g.large', true],
  ['Graviton by itself', { ...arm, ...dmi('Amazon EC2', 'm6g.metal') }, 'Amazon EC2 m6g.metal', false],
  ['a guest of Xen on Arm', { ...arm, 'sys/hypervisor/type': 'xen\n' }, null, true],
  [
    'a guest told by the device tree',
    { ...arm, 'proc/device-tree/hypervisor/compatible': 'linux,kvm\0' },
    null,
    true,
  ],
  [
    'Azure on Arm',
    { ...arm, ...dmi('Microsoft Corporation', 'Virtual Machine') },
    'Microsoft Corporation Virtual Machine',
    true,
  ],
  ['a laptop', { ...x86('fpu vme sse2'), ...dmi('LENOVO', '20L8S2N800') }, 'LENOVO 20L8S2N800', false],
  ['a server', { ...x86('fpu vme'), ...dmi('HPE', 'HPE ProLiant') }, 'HPE ProLiant', false],
  [
    'a PC that nobody named',
    { ...x86('fpu'), ...dmi('To Be Filled By O.E.M.', 'Default string') },
    null,
    false,
  ],
  [
    'a virtual PC',
    { ...x86('fpu hypervisor sse2'), ...dmi('QEMU', 'Standard PC (Q35 + ICH9, 2009)') },
    'QEMU Standard PC (Q35 + ICH9, 2009)',
    true,
  ],
  ['a virtual PC without tables', x86('fpu hypervisor'), null, true],
  ['nothing that tells', {}, null, false],
]

for (const [of, files, model, isVirtual] of MACHINES) {
  test(of, t => {
    t.deepEqual(describeBoard(...createMachine(t, files)), { model, isVirtual })
  })
}

const detected = spawnSync('systemd-detect-virt', ['--vm'], { encoding: 'utf8' })
const check = detected.error === undefined ? test : test.skip

check('this machine is what systemd-detect-virt takes it for', t => {
  t.is(describeBoard().isVirtual, detected.stdout.trim() !== 'none')
})
