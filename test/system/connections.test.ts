import test from 'ava'
import { listConnections } from '../../src/system/connections.js'
import { createMachine } from './fixtures/machine.js'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
const REST = '00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 30 10 -1\n'

// As machines with the low byte first show addresses.
test('the connections of a port, without its listening socket, and IPv4 within IPv6 as what it is', t => {
  const [, proc] = createMachine(t, {
    'proc/self/net/tcp': [
      HEAD,
      `   0: 00000000:2BCB 00000000:0000 0A ${REST}`,
      `   1: 010200C0:2BCB 090200C0:D431 01 ${REST}`,
      `   2: 010200C0:0016 090200C0:D431 01 ${REST}`,
    ].join(''),
    'proc/self/net/tcp6': [
      HEAD,
      `   0: 0000000000000000FFFF0000010200C0:2BCB 0000000000000000FFFF0000080200C0:D432 06 ${REST}`,
      `   1: B80D0120000000000000000001000000:2BCB B80D0120000000000000000002000000:D433 01 ${REST}`,
    ].join(''),
  })
  t.deepEqual(listConnections(11211, proc), [
    { local: '192.0.2.1', peer: '192.0.2.9' },
    { local: '192.0.2.1', peer: '192.0.2.8' },
    { local: '2001:db8::1', peer: '2001:db8::2' },
  ])
  t.deepEqual(listConnections(80, proc), [])
})
