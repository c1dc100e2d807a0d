import test from 'ava'
import { findServingDevice } from '../../src/advise/serving-device.js'

const devices = new Map([
  ['127.0.0.1', 'lo'],
  ['::1', 'lo'],
  ['192.0.2.1', 'eth0'],
  ['2001:db8::1', 'eth0'],
  ['198.51.100.1', 'eth1'],
])
const received = new Map([
  ['lo', 5000],
  ['eth0', 9000],
  ['eth1', 70],
])
const find = (...connections: [local: string, peer: string][]): string | null =>
  findServingDevice({
    connections: connections.map(([local, peer]) => ({ local, peer })),
    devices,
    received,
    loopback: 'lo',
  })

test('connections tell the device, whatever else has more traffic', t => {
  t.is(find(['198.51.100.1', '198.51.100.9']), 'eth1')
  t.is(find(['127.0.0.1', '127.0.0.1']), 'lo')
  t.is(find(['::1', '::1']), 'lo')
})

test('to an address of its own a machine speaks by loopback', t => {
  t.is(find(['192.0.2.1', '192.0.2.1']), 'lo')
  t.is(find(['192.0.2.1', '198.51.100.1']), 'lo')
  t.is(find(['127.0.0.2', '127.0.0.3']), 'lo')
})

test('of several ways it is the one with most packets, and without connections that of all', t => {
  t.is(find(['198.51.100.1', '198.51.100.9'], ['192.0.2.1', '192.0.2.9']), 'eth0')
  t.is(find(), 'eth0')
})

test('where nothing came there is none', t => {
  const nothing = new Map([['eth0', 0]])
  t.is(findServingDevice({ connections: [], devices, received: nothing, loopback: 'lo' }), null)
})
