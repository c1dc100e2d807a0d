import test from 'ava'
import { isUnspecified, parseAddress } from '../../src/text/address.js'

const toHex = (text: string): string | null => {
  const address = parseAddress(text)
  return address === null ? null : Buffer.from(address).toString('hex')
}

for (const [text, hex] of [
  ['192.0.2.1', '00000000000000000000ffffc0000201'],
  ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['2001:db8::1', '20010db8000000000000000000000001'],
  ['fe80::', 'fe800000000000000000000000000000'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['2001:DB8:0:0:1::a', '20010db800000000000100000000000a'],
  ['fe80::1%eth0', null],
  ['1.2.3', null],
  ['1.2.3.256', null],
  [':::', null],
  ['localhost', null],
  ['', null],
] as const) {
  test(`as bytes of IPv6: ${text || 'nothing'}`, t => {
    t.is(toHex(text), hex)
  })
}

test('knows the addresses that stand for none', t => {
  const isNone = (text: string) => isUnspecified(parseAddress(text) ?? Uint8Array.of(1))
  t.deepEqual(['0.0.0.0', '::', '::ffff:0.0.0.0'].map(isNone), [true, true, true])
  t.deepEqual(['127.0.0.1', '::1', '::ffff:0.0.0.1'].map(isNone), [false, false, false])
})
