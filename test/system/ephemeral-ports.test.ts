import test from 'ava'
import { looksLikeClient, readEphemeralPorts } from '../../src/system/ephemeral-ports.js'
import { createMachine } from './fixtures/machine.js'

const range = { first: 32_768, last: 60_999 }

test('reads the range that the kernel gives ports out of', t => {
  const [, proc] = createMachine(t, { 'proc/sys/net/ipv4/ip_local_port_range': '32768\t60999\n' })
  t.deepEqual(readEphemeralPorts(proc), range)
  t.is(readEphemeralPorts('/nowhere'), null)
})

test('what UDP has on a port of the range looks like a client, and nothing else does', t => {
  const looks = (port: number, protocol: 'tcp' | 'udp') => looksLikeClient({ port, protocol }, range)
  t.deepEqual(
    [32_767, 32_768, 60_999, 61_000].map(port => looks(port, 'udp')),
    [false, true, true, false],
  )
  t.false(looks(40_000, 'tcp'))
  t.false(looksLikeClient({ port: 40_000, protocol: 'udp' }, null))
})
