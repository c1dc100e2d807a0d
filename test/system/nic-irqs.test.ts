import test, { type ExecutionContext } from 'ava'
import { listArrivalIrqs, listReceiveIrqs } from '../../src/system/nic-irqs.js'
import { createMachine } from './fixtures/machine.js'

test('a card on PCI has its message-signalled interrupts, also behind virtio', t => {
  const pci = 'sys/devices/pci0000:00/0000:00:03.0'
  const machine = createMachine(
    t,
    { [`${pci}/msi_irqs/38`]: 'msix\n', [`${pci}/msi_irqs/37`]: 'msix\n', [`${pci}/irq`]: '11\n' },
    { 'sys/class/net/eth0/device': `${pci}/virtio2` },
  )
  t.deepEqual(listArrivalIrqs(...machine), [37, 38])
})

test('a card without them has its line', t => {
  const pci = 'sys/devices/pci0000:00/0000:00:05.0'
  t.deepEqual(
    listArrivalIrqs(...createMachine(t, { [`${pci}/irq`]: '19\n' }, { 'sys/class/net/eth0/device': pci })),
    [19],
  )
})

test('a card on a board has the interrupts that carry its name, and no other card’s', t => {
  const machine = createMachine(
    t,
    {
      'proc/interrupts': [
        '            CPU0       CPU1',
        '  9:          0          0     GICv2  25 Level     vgic',
        ' 40:     123456          0     GICv2 189 Level     eth0',
        ' 41:      23456          7     GICv2 190 Level     eth0-tx, mmc1',
        ' 42:          1          0     GICv2 191 Level     eth01',
        'IPI0:         12         34  Rescheduling interrupts',
        '',
      ].join('\n'),
    },
    { 'sys/class/net/eth0/device': 'sys/devices/platform/scb/fd580000.ethernet' },
  )
  t.deepEqual(listArrivalIrqs(...machine), [40, 41])
})

test('what has no device behind it has no interrupts, and nothing there is none', t => {
  const [sys, proc] = createMachine(t, { 'sys/class/net/lo/mtu': '65536\n' })
  t.deepEqual(listArrivalIrqs(sys, proc), [])
  t.deepEqual(listArrivalIrqs('/nowhere', '/nowhere'), [])
})

const interruptsOf = (...names: string[]): string =>
  [
    '            CPU0',
    ...names.map((name, index) => ` ${50 + index}:       1     GICv2 189 Level     ${name}`),
    '',
  ].join('\n')

const createCard = (t: ExecutionContext, names: string[], files: Record<string, string> = {}) =>
  createMachine(
    t,
    { 'proc/interrupts': interruptsOf(...names), ...files },
    { 'sys/class/net/eth0/device': 'sys/devices/platform/virtio2' },
  )

test('of the interrupts whose names tell, those that receive lead to a softirq that does', t => {
  for (const names of [
    ['eth0-rx-0', 'eth0-tx-0', 'eth0'],
    ['virtio2-input.0', 'virtio2-output.0', 'virtio2-config'],
    ['eth0-TxRx-0', 'eth0'],
  ]) {
    t.deepEqual(listReceiveIrqs(...createCard(t, names)), [50], names.join(' '))
    t.deepEqual(listArrivalIrqs(...createCard(t, names)), [50], names.join(' '))
  }
  t.deepEqual(listReceiveIrqs(...createCard(t, ['eth0-0', 'eth0-1', 'eth0'])), [50, 51])
})

test('where no name tells, each may', t => {
  t.deepEqual(listReceiveIrqs(...createCard(t, ['eth0', 'eth0'])), [50, 51])
})

test('a card whose packets threads receive has none that does', t => {
  const threaded = (value: string) => createCard(t, ['eth0'], { 'sys/class/net/eth0/threaded': value })
  t.deepEqual(listReceiveIrqs(...threaded('1\n')), [])
  t.deepEqual(listReceiveIrqs(...threaded('0\n')), [50])
  t.deepEqual(listArrivalIrqs(...threaded('1\n')), [50])
})
