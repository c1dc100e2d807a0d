import test from 'ava'
import { type Direction, parseQueueName } from '../../src/system/queue-names.js'

/**
 * Names as listings show them, most of them found in issues of public projects; the others are from the drivers'
 * sources.
 */
const NAMES: readonly [name: string, queue: number | null, direction: Direction | null][] = [
  // bcmgenet of a Raspberry Pi 4 (two lines), macb of a Raspberry Pi 5, stmmac of Rockchip's, e1000e's third.
  ['eth0', null, null],
  // The PHY of a CM5: https://github.com/raspberrypi/linux/pull/6963
  ['1f00100000.ethernet-ffffffff:00', null, null],
  // e1000e
  ['eth0-rx-0', 0, 'rx'],
  ['eth0-tx-0', 0, 'tx'],
  // i40e: https://github.com/intel/nemu/pull/82
  ['i40e-eth0-TxRx-12', 12, 'both'],
  ['i40e-0001:00:0f.0:misc', null, null],
  ['i40e-0001:00:0f.0:fdir-TxRx-0', null, null],
  // ice: https://github.com/metal-stack/metal-images/pull/136
  ['ice-eth0-TxRx-3', 3, 'both'],
  ['ice-0000:65:00.0:ctrl-TxRx-0', null, null],
  // igb, ixgbe, igc
  ['eth0-TxRx-7', 7, 'both'],
  // mlx5_core: https://github.com/perftool-incubator/crucible/issues/522
  ['mlx5_comp31@pci:0000:81:00.0', 31, 'both'],
  ['mlx5_async0@pci:0000:81:00.0', null, null],
  // r8125: https://github.com/csrutil/OpenWrt-NIC-Drivers/issues/4
  ['eth0-3', 3, null],
  // virtio_net
  ['virtio2-config', null, null],
  ['virtio2-input.0', 0, 'rx'],
  ['virtio2-output.11', 11, 'tx'],
  // ena
  ['eth0-Tx-Rx-2', 2, 'both'],
  ['ena-mgmnt@pci:0000:00:05.0', null, null],
  // vmxnet3, xen-netfront, stmmac with an interrupt a queue, mana
  ['eth0-rxtx-1', 1, 'both'],
  ['eth0-q1-rx', 1, 'rx'],
  ['eth0-q1-tx', 1, 'tx'],
  ['eth0-rx', null, 'rx'],
  ['eth0:rx-2', 2, 'rx'],
  ['eth0:mac', null, null],
  ['mana_q2@pci:7870:00:00.0', 2, 'both'],
  ['mana_hwc@pci:7870:00:00.0', null, null],
  // bnx2x, bnxt_en
  ['eth0-fp-4', 4, 'both'],
  ['bnxt_en-eth0-TxRx-5', 5, 'both'],
  // A USB host's
  ['xhci-hcd:usb1', null, null],
  // Of another device, and beyond what is a number.
  ['eth1-3', null, null],
  ['eth0-3x', null, null],
  [`eth0-rx-${'9'.repeat(20)}`, null, 'rx'],
  ['', null, null],
]

for (const [name, queue, direction] of NAMES) {
  test(`an interrupt named '${name}'`, t => {
    t.deepEqual(parseQueueName(name, 'eth0'), { queue, direction })
  })
}
