import test from 'ava'
import { showsOwnDevices } from '../../src/system/own-devices.js'
import { createMachine, within } from './fixtures/machine.js'

const HEAD = `Inter-|   Receive                            |  Transmit
 face |bytes    packets errs drop fifo frame |bytes    packets errs drop fifo colls
`

const listDevices = (...names: string[]): string =>
  `${HEAD}${names.map(name => `${name.padStart(6)}:    0       0    0    0    0     0        0       0    0    0    0     0\n`).join('')}`

const device = (name: string, address: string): Record<string, string> =>
  within(`sys/class/net/${name}`, { flags: '0x1003\n', address: `${address}\n` })

const MAC = '02:fc:00:00:00:01'

test('/sys shows the devices of the namespace of the process, or those of another', t => {
  const [sys, proc] = createMachine(t, {
    ...device('lo', '00:00:00:00:00:00'),
    ...device('eth0', MAC),
    ...device('tun0', ''),
    'sys/class/net/bonding_masters': '\n',
    'proc/net/dev': listDevices('lo', 'eth0', 'tun0'),
  })
  const shows = (...addresses: [string, string][]): boolean =>
    showsOwnDevices(sys, proc, () => new Map(addresses))
  t.true(shows())
  t.true(shows(['eth0', MAC], ['tun0', '00:00:00:00:00:00'], ['eth0:1', '02:00:00:00:00:09']))
  // One of the same name.
  t.false(shows(['eth0', '02:fc:00:00:00:02']))
})

for (const [title, names] of [
  ['fewer', ['lo']],
  ['more', ['lo', 'eth0', 'eth1']],
  ['others', ['lo', 'wire']],
] as const) {
  test(`/sys does not show the devices of a process that has ${title}`, t => {
    const [sys, proc] = createMachine(t, {
      ...device('lo', '00:00:00:00:00:00'),
      ...device('eth0', MAC),
      'proc/net/dev': listDevices(...names),
    })
    t.false(showsOwnDevices(sys, proc, () => new Map()))
  })
}

test('this machine shows its own', t => {
  t.true(showsOwnDevices())
})
