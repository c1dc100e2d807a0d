import test from 'ava'
import { findMissing, PROBES, type Support } from '../../src/probes/support.js'

/** A kernel that lacks the points of these programs. */
const supportWithout = (...programs: string[]): Support[] =>
  PROBES.map(probe => ({ probe, reason: programs.includes(probe.program) ? 'not there' : null }))

test('nothing is missing where a stand-in takes the place', t => {
  t.is(findMissing(supportWithout(), 'tcp'), null)
  t.is(findMissing(supportWithout('payload_is_ready'), 'tcp'), null)
  t.is(findMissing(supportWithout('payload_arrives', 'packet_is_enqueued'), 'tcp'), null)
})

test('what is required is missing without its stand-in', t => {
  t.is(
    findMissing(supportWithout('payload_is_ready', 'payload_arrives'), 'tcp')?.probe.program,
    'payload_is_ready',
  )
  t.is(findMissing(supportWithout('packet_is_sent'), 'tcp')?.probe.program, 'packet_is_sent')
})

test('what only UDP needs is missing for UDP only', t => {
  const support = supportWithout('datagram_is_read', 'datagram_was_read')
  t.is(findMissing(support, 'tcp'), null)
  t.is(findMissing(support, 'udp')?.probe.program, 'datagram_is_read')
})
