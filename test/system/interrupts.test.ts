import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { listOnlineCpus } from '../../src/system/cpus.js'
import { listNumbered, readText } from '../../src/system/files.js'
import {
  isMovable,
  readAffinity,
  readEffectiveAffinity,
  readInterrupts,
} from '../../src/system/interrupts.js'
import { createMachine } from './fixtures/machine.js'

test('a Raspberry Pi 3 B+: lines that several share, and names with spaces', t => {
  // From https://lore.kernel.org/netdev/20191029164116.44px7mtwrauquurz@beryllium.lan
  const [, proc] = createMachine(t, {
    'proc/interrupts': [
      '           CPU0       CPU1       CPU2       CPU3       ',
      '  2:         15         10         20         14  ARMCTRL-level   1 Edge      3f00b880.mailbox',
      ' 41:     127709     127690     127596     127783  ARMCTRL-level  41 Edge      3f980000.usb, dwc2_hsotg:usb1',
      '148:          0          0          0          0  bcm2836-timer   3 Edge      kvm guest timer',
      'IPI0:     11102      11331      12204      11011       Rescheduling interrupts',
      'Err:          0',
      '',
    ].join('\n'),
  })
  t.deepEqual(
    readInterrupts(proc).map(({ irq, name }) => [irq, name]),
    [
      [2, '3f00b880.mailbox'],
      [41, '3f980000.usb, dwc2_hsotg:usb1'],
      [148, 'kvm guest timer'],
    ],
  )
  t.deepEqual(
    [...(readInterrupts(proc)[1]?.counts ?? [])],
    [
      [0, 127709],
      [1, 127690],
      [2, 127596],
      [3, 127783],
    ],
  )
})

test('an old kernel’s on a Raspberry Pi: lines that nobody handles', t => {
  // From https://github.com/bosun-monitor/bosun/issues/647
  const [, proc] = createMachine(t, {
    'proc/interrupts': [
      '           CPU0       ',
      ' 32:     132561   ARMCTRL  dwc_otg, dwc_otg_pcd, dwc_otg_hcd:usb1',
      ' 75:          1   ARMCTRL',
      ' 77:      22825   ARMCTRL  bcm2708_sdhci (dma)',
      'FIQ:              usb_fiq',
      '',
    ].join('\n'),
  })
  t.deepEqual(
    readInterrupts(proc).map(({ irq, name }) => [irq, name]),
    [
      [32, 'dwc_otg, dwc_otg_pcd, dwc_otg_hcd:usb1'],
      [75, ''],
      [77, 'bcm2708_sdhci (dma)'],
    ],
  )
})

test('the columns are those of the CPUs that are online', t => {
  const [, proc] = createMachine(t, {
    'proc/interrupts': [
      '            CPU0       CPU2       CPU3',
      ' 16:          5          7          9   IO-APIC  16-fasteoi   ehci_hcd:usb1, i801_smbus',
      ' 17:          1          0          0  GICv2  30 Level   ',
      ' 18:          1          0',
      ' x9:          1          0          0  GICv2  31 Level     timer',
      ' 30:          1          0 4294967296   PCI-MSI-0000:00:1f.6   0-edge      \u001B[2Jeno1',
    ].join('\n'),
  })
  const [shared, unhandled, hostile, ...others] = readInterrupts(proc)
  t.deepEqual(
    [...(shared?.counts ?? [])],
    [
      [0, 5],
      [2, 7],
      [3, 9],
    ],
  )
  t.is(unhandled?.name, '')
  t.deepEqual([hostile?.irq, hostile?.name, hostile?.counts.get(3)], [30, 'eno1', 4294967296])
  t.deepEqual(others, [])
  t.deepEqual(readInterrupts('/nowhere'), [])
})

test('where an interrupt may go and where it goes', t => {
  // 106 as on a Raspberry Pi 5: https://github.com/raspberrypi/linux/issues/7101
  const [, proc] = createMachine(t, {
    'proc/irq/38/smp_affinity_list': '0-3\n',
    'proc/irq/38/effective_affinity_list': '2\n',
    'proc/irq/106/smp_affinity_list': '0-3\n',
    'proc/irq/106/effective_affinity_list': '\n',
    'proc/irq/107/smp_affinity_list': '0-1\n',
    'proc/irq/108/smp_affinity_list': 'all\n',
  })
  t.deepEqual(readAffinity(38, proc), { wanted: [0, 1, 2, 3], effective: [2] })
  t.deepEqual(readEffectiveAffinity(38, proc), [2])
  t.deepEqual(readAffinity(106, proc), { wanted: [0, 1, 2, 3], effective: null })
  t.deepEqual(readAffinity(107, proc), { wanted: [0, 1], effective: null })
  t.is(readAffinity(108, proc), null)
  t.is(readAffinity(109, proc), null)
})

test('an interrupt can be moved unless its file says no, or it goes where it is not wanted', t => {
  const [, proc] = createMachine(t, {
    'proc/irq/1/smp_affinity_list': '0-3\n',
    'proc/irq/1/effective_affinity_list': '2\n',
    'proc/irq/2/smp_affinity_list': '0-3\n',
    'proc/irq/2/effective_affinity_list': '2\n',
    'proc/irq/3/smp_affinity_list': '1\n',
    'proc/irq/3/effective_affinity_list': '0\n',
    'proc/irq/4/smp_affinity_list': '0-3\n',
    'proc/irq/4/effective_affinity_list': '\n',
  })
  chmodSync(join(proc, 'irq/2/smp_affinity_list'), 0o444)
  t.deepEqual(
    [1, 2, 3, 4, 5].map(irq => isMovable(irq, proc)),
    [true, false, false, true, false],
  )
})

test('this machine’s interrupts are those that sysfs has, with the same names and counts', t => {
  // A chip that hands another's interrupts on has no name of its own, and is shown only once it had some.
  const isNamed = (irq: number) => !['', '(null)'].includes(readText(`/sys/kernel/irq/${irq}/actions`) ?? '')
  const readCounts = (irq: number) =>
    readFileSync(`/sys/kernel/irq/${irq}/per_cpu_count`, 'latin1').split(',').map(Number)

  const known = listNumbered('/sys/kernel/irq').filter(isNamed)
  const before = new Map(known.map(irq => [irq, readCounts(irq)]))
  const interrupts = readInterrupts()
  for (const irq of known) {
    const interrupt = interrupts.find(candidate => candidate.irq === irq)
    t.is(interrupt?.name.replaceAll(', ', ','), readText(`/sys/kernel/irq/${irq}/actions`) ?? '')
    const after = readCounts(irq)
    for (const cpu of listOnlineCpus()) {
      const count = interrupt?.counts.get(cpu) ?? -1
      t.true(
        count >= (before.get(irq)?.[cpu] ?? 0) && count <= (after[cpu] ?? 0),
        `${irq} on CPU ${cpu}: ${count}`,
      )
    }
  }
  const all = listNumbered('/sys/kernel/irq')
  t.true(interrupts.every(({ irq }) => all.includes(irq)))
})
