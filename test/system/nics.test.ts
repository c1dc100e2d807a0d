import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import test from 'ava'
import { findBusiestNic, findNic, listLowerNics, listNics, type Nic } from '../../src/system/nics.js'
import { createMachine, within } from './fixtures/machine.js'

/** The files of a network device that is up. */
const nicFiles = (
  name: string,
  queues: string[],
  files: Record<string, string> = {},
): Record<string, string> =>
  within(`sys/class/net/${name}`, {
    flags: '0x1003\n',
    operstate: 'up\n',
    speed: '1000\n',
    'statistics/rx_packets': '2000\n',
    'statistics/tx_packets': '1000\n',
    ...Object.fromEntries(queues.map(queue => [`queues/${queue}/tx_timeout`, '0\n'])),
    ...files,
  })

const deviceLinks = (name: string, device: string, driver: string): Record<string, string> => ({
  [`sys/class/net/${name}/device`]: device,
  [`${device}/driver`]: `sys/bus/drivers/${driver}`,
})

const listing = (...lines: string[]): Record<string, string> => ({
  'proc/interrupts': `${lines.join('\n')}\n`,
})

test('a Raspberry Pi 4: two interrupts of one name, and more queues to send than to receive', t => {
  const [sys, proc] = createMachine(
    t,
    {
      ...nicFiles('eth0', ['rx-0', 'tx-0', 'tx-1', 'tx-2', 'tx-3', 'tx-4']),
      ...listing(
        '           CPU0       CPU1       CPU2       CPU3       ',
        ' 38:        780     313196          0          0     GICv2 189 Level     eth0',
        ' 39:         11          0       4358          0     GICv2 190 Level     eth0',
        ' 46:     668625          0          0          0  BRCM STB PCIe MSI 524288 Edge      xhci_hcd',
      ),
    },
    deviceLinks('eth0', 'sys/devices/platform/scb/fd580000.ethernet', 'bcmgenet'),
  )
  t.deepEqual(listNics(sys, proc), [
    {
      name: 'eth0',
      driver: 'bcmgenet',
      isPhysical: true,
      isUp: true,
      node: null,
      rxQueues: [0],
      txQueues: [0, 1, 2, 3, 4],
      irqs: [
        { irq: 38, name: 'eth0', queue: null, direction: null },
        { irq: 39, name: 'eth0', queue: null, direction: null },
      ],
      rxPackets: 2000,
      txPackets: 1000,
      speedMbps: 1000,
    },
  ])
})

test('a Raspberry Pi 3 B+ and a NanoPi R2S: adapters on USB have the interrupt of their bus', t => {
  // https://lore.kernel.org/netdev/20191029164116.44px7mtwrauquurz@beryllium.lan
  const pi = createMachine(
    t,
    {
      ...nicFiles('eth0', ['rx-0', 'tx-0']),
      ...listing(
        '           CPU0       CPU1       CPU2       CPU3       ',
        ' 41:     127709     127690     127596     127783  ARMCTRL-level  41 Edge      3f980000.usb, dwc2_hsotg:usb1',
        '150:          0          1          2          0  lan78xx-irqs  17 Edge      usb-001:004:01',
      ),
    },
    deviceLinks(
      'eth0',
      'sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.1/1-1.1.1/1-1.1.1:1.0',
      'lan78xx',
    ),
  )
  t.deepEqual(listNics(...pi)[0]?.irqs, [
    { irq: 41, name: '3f980000.usb, dwc2_hsotg:usb1', queue: null, direction: null },
  ])

  // https://github.com/openwrt/openwrt/pull/14205
  const nanoPi = createMachine(
    t,
    {
      ...nicFiles('eth0', ['rx-0', 'tx-0']),
      ...nicFiles('eth1', ['rx-0', 'tx-0']),
      ...listing(
        '           CPU0       CPU1       CPU2       CPU3',
        ' 24:          0    1417932          0          0     GICv2  56 Level     eth0',
        ' 25:        334          0          0    4422194     GICv2  99 Level     xhci-hcd:usb1',
        ' 26:          0          0          0          0     GICv2  48 Level     ehci_hcd:usb3',
      ),
    },
    {
      ...deviceLinks('eth0', 'sys/devices/platform/ff540000.ethernet', 'rk_gmac-dwmac'),
      ...deviceLinks('eth1', 'sys/devices/platform/ff600000.usb/xhci-hcd.0.auto/usb1/1-1/1-1:1.0', 'r8152'),
    },
  )
  t.deepEqual(
    listNics(...nanoPi).map(({ name, irqs }) => [name, irqs.map(({ irq }) => irq)]),
    [
      ['eth0', [24]],
      ['eth1', [25]],
    ],
  )
})

test('mlx5: interrupts that carry the card’s address, found by the card', t => {
  const pci = 'sys/devices/pci0000:80/0000:80:01.1/0000:81:00.0'
  const [sys, proc] = createMachine(
    t,
    {
      ...nicFiles('enp129s0f0np0', ['rx-0', 'rx-1', 'tx-0', 'tx-1'], { speed: '100000\n' }),
      ...within(pci, {
        numa_node: '1\n',
        irq: '0\n',
        'msi_irqs/75': 'msix\n',
        'msi_irqs/76': 'msix\n',
        'msi_irqs/85': 'msix\n',
      }),
      ...listing(
        '           CPU0       CPU1',
        ' 75:          5          0  IR-PCI-MSIX-0000:81:00.0   0-edge      mlx5_async0@pci:0000:81:00.0',
        ' 76:       7211          0  IR-PCI-MSIX-0000:81:00.0   1-edge      mlx5_comp0@pci:0000:81:00.0',
        ' 85:          0       6318  IR-PCI-MSIX-0000:81:00.0   2-edge      mlx5_comp1@pci:0000:81:00.0',
        ' 86:          0       6318  IR-PCI-MSIX-0000:81:00.1   2-edge      mlx5_comp1@pci:0000:81:00.1',
      ),
    },
    deviceLinks('enp129s0f0np0', pci, 'mlx5_core'),
  )
  const [nic] = listNics(sys, proc)
  t.deepEqual([nic?.driver, nic?.node, nic?.speedMbps], ['mlx5_core', 1, 100000])
  t.deepEqual(
    nic?.irqs.map(({ irq, queue, direction }) => [irq, queue, direction]),
    [
      [75, null, null],
      [76, 0, 'both'],
      [85, 1, 'both'],
    ],
  )
})

test('virtio: the card’s interrupts and node are those of its function on PCI', t => {
  const pci = 'sys/devices/pci0000:00/0000:00:03.0'
  const [sys, proc] = createMachine(
    t,
    {
      ...nicFiles('eth0', ['rx-0', 'tx-0'], { speed: '-1\n' }),
      ...within(pci, {
        numa_node: '-1\n',
        'msi_irqs/37': 'msix\n',
        'msi_irqs/38': 'msix\n',
        'msi_irqs/39': 'msix\n',
      }),
      ...listing(
        '           CPU0       CPU1       ',
        ' 38:          0      33826 PCI-MSIX-0000:00:03.0   1-edge      virtio2-input.0',
        ' 39:      31153          0 PCI-MSIX-0000:00:03.0   2-edge      virtio2-output.0',
      ),
    },
    deviceLinks('eth0', `${pci}/virtio2`, 'virtio_net'),
  )
  const [nic] = listNics(sys, proc)
  t.deepEqual([nic?.driver, nic?.node, nic?.speedMbps], ['virtio_net', null, null])
  t.deepEqual(nic?.irqs, [
    { irq: 38, name: 'virtio2-input.0', queue: 0, direction: 'rx' },
    { irq: 39, name: 'virtio2-output.0', queue: 0, direction: 'tx' },
  ])
})

test('a card behind a chip of its own: of the chip’s interrupts, only those that somebody handles', t => {
  // After a Raspberry Pi 5's, whose RP1 is on PCI and hands interrupts on: https://github.com/raspberrypi/linux/issues/7101
  const rp1 = 'sys/devices/platform/axi/1000120000.pcie/pci0002:00/0002:00:00.0/0002:01:00.0'
  const [sys, proc] = createMachine(
    t,
    {
      ...nicFiles('eth0', ['rx-0', 'tx-0']),
      ...within(rp1, { 'msi_irqs/60': 'msix\n', 'msi_irqs/66': 'msix\n' }),
      ...listing(
        '           CPU0       CPU1       CPU2       CPU3       ',
        ' 60:         12          0          0          0       MSI   0 Edge      ',
        '106:      84012          0          0          0  rp1_irq_chip   6 Level     eth0',
        '131:       1315          0          0          0  rp1_irq_chip  31 Edge      xhci-hcd:usb1',
      ),
    },
    deviceLinks('eth0', `${rp1}/1f00100000.ethernet`, 'macb'),
  )
  t.deepEqual(listNics(sys, proc)[0]?.irqs, [{ irq: 106, name: 'eth0', queue: null, direction: null }])
})

test('loopback and what is no device are left out, and so are names that would steer a terminal', t => {
  const [sys, proc] = createMachine(t, {
    ...nicFiles('lo', ['rx-0'], { flags: '0x9\n', operstate: 'unknown\n' }),
    ...nicFiles('tun0', ['rx-0', 'tx-0'], { operstate: 'unknown\n', speed: '10000\n' }),
    ...nicFiles('wlan0', ['rx-0'], { flags: '0x1002\n', operstate: 'down\n', speed: '4294967295\n' }),
    ...nicFiles('eth9', ['rx-0'], { operstate: 'lowerlayerdown\n' }),
    ...nicFiles('e\u001B[2Jth', ['rx-0']),
    'sys/class/net/bonding_masters': '\n',
  })
  t.deepEqual(
    listNics(sys, proc).map(({ name, isUp, isPhysical, driver, irqs, speedMbps }) => [
      name,
      isUp,
      isPhysical,
      driver,
      irqs,
      speedMbps,
    ]),
    [
      ['eth9', false, false, null, [], 1000],
      ['tun0', true, false, null, [], 10000],
      ['wlan0', false, false, null, [], null],
    ],
  )
  t.deepEqual(listNics('/nowhere', '/nowhere'), [])
})

test('the busiest device is up, physical if any such is, and received most', t => {
  const nic = (name: string, isPhysical: boolean, isUp: boolean, rxPackets: number): Nic => ({
    name,
    driver: null,
    isPhysical,
    isUp,
    node: null,
    rxQueues: [0],
    txQueues: [0],
    irqs: [],
    rxPackets,
    txPackets: 0,
    speedMbps: null,
  })
  const bridge = nic('br0', false, true, 900)
  const quiet = nic('eth0', true, true, 10)
  const busy = nic('eth1', true, true, 20)
  const down = nic('eth2', true, false, 5000)
  t.is(findBusiestNic([bridge, quiet, down, busy]), busy)
  t.is(findBusiestNic([down, bridge]), bridge)
  t.is(findBusiestNic([down]), down)
  t.is(findBusiestNic([]), null)
})

type Link = {
  ifname: string
  link_type: string
  operstate: string
  flags: string[]
  stats64: { rx: { packets: number }; tx: { packets: number } }
}

test('this machine’s devices are those that ip lists', t => {
  const readLinks = (): Map<string, Link> => {
    const links: Link[] = JSON.parse(
      execFileSync('ip', ['-json', '-statistics', 'link', 'show'], { encoding: 'utf8' }),
    )
    return new Map(links.filter(link => link.link_type !== 'loopback').map(link => [link.ifname, link]))
  }
  const before = readLinks()
  const nics = listNics()
  const after = readLinks()
  // Others come and go meanwhile.
  for (const name of before.keys()) if (after.has(name)) t.true(nics.some(nic => nic.name === name))
  for (const { name, isUp, rxPackets, txPackets } of nics) {
    const [earlier, later] = [before.get(name), after.get(name)]
    t.true(earlier !== undefined || later !== undefined)
    if (earlier === undefined || later === undefined) continue
    t.is(isUp, earlier.flags.includes('UP') && ['UP', 'UNKNOWN'].includes(earlier.operstate))
    t.true(rxPackets >= earlier.stats64.rx.packets && rxPackets <= later.stats64.rx.packets)
    t.true(txPackets >= earlier.stats64.tx.packets && txPackets <= later.stats64.tx.packets)
  }
})

test('this machine’s drivers are those that the devices’ uevent names', t => {
  for (const { name, driver, isPhysical } of listNics()) {
    const uevent = isPhysical ? readFileSync(`/sys/class/net/${name}/device/uevent`, 'utf8') : ''
    t.is(driver, /^DRIVER=(.*)$/m.exec(uevent)?.[1] ?? null)
  }
})

test('loopback is found by its name, and left out of the list', t => {
  const [sys, proc] = createMachine(
    t,
    nicFiles('lo', ['rx-0', 'tx-0'], { flags: '0x9\n', operstate: 'unknown\n' }),
  )
  t.deepEqual(listNics(sys, proc), [])
  const nic = findNic('lo', sys, proc)
  t.deepEqual([nic?.name, nic?.isUp, nic?.rxQueues, nic?.irqs], ['lo', true, [0], []])
  t.is(findNic('eth0', sys, proc), null)
  t.is(findNic('..', sys, proc), null)
})

test('a bridge has devices below it', t => {
  const [sys] = createMachine(
    t,
    { ...nicFiles('br0', ['rx-0']), ...nicFiles('eth0', ['rx-0']) },
    { 'sys/class/net/br0/lower_eth0': 'sys/class/net/eth0' },
  )
  t.deepEqual(listLowerNics('br0', sys), ['eth0'])
  t.deepEqual(listLowerNics('eth0', sys), [])
})
