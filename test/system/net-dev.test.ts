import test from 'ava'
import { readReceived } from '../../src/system/net-dev.js'
import { createMachine } from './fixtures/machine.js'

test('the packets that each device received', t => {
  const [, proc] = createMachine(t, {
    'proc/7/net/dev': [
      'Inter-|   Receive                                                |  Transmit',
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
      '    lo: 2416062499 39939285    0    0    0     0          0         0 2416062499 39939285    0    0    0     0       0          0',
      'wlp0s20f3:662658930   32971    0    0    0     0          0         0  2988505   25901    0    0    0     0       0          0',
      '',
    ].join('\n'),
  })
  t.deepEqual(
    readReceived(7, proc),
    new Map([
      ['lo', 39_939_285],
      ['wlp0s20f3', 32_971],
    ]),
  )
  t.deepEqual(readReceived(8, proc), new Map())
})
