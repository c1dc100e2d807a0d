import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { endianness, tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { decodeAddress, parseListeningSocket, readListeningSockets } from '../../src/system/sockets.js'

const header =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'

/** One line as the kernel prints it. */
const createLine = (address: string, port: number, state: string, inode: number): string =>
  `   0: ${address}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} ` +
  `00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0000000000000000 100 0 0 10 0`

/** The hexadecimal words of an address on this machine. */
const createWords = (...words: number[]): string =>
  words
    .map(word => {
      const bytes = Buffer.alloc(4)
      if (endianness() === 'LE') bytes.writeUInt32LE(word)
      else bytes.writeUInt32BE(word)
      return bytes.toString('hex').toUpperCase()
    })
    .join('')

test('decodes addresses', t => {
  t.is(decodeAddress(createWords(0x7f000001)), '127.0.0.1')
  t.is(decodeAddress(createWords(0)), '0.0.0.0')
  t.is(decodeAddress(createWords(0, 0, 0, 0)), '::')
  t.is(decodeAddress(createWords(0, 0, 0, 1)), '::1')
  t.is(decodeAddress(createWords(0xfe800000, 0, 0x021122ff, 0xfe334455)), 'fe80::211:22ff:fe33:4455')
})

test('reads a listening line and no other', t => {
  const address = createWords(0x0a000001)
  t.deepEqual(parseListeningSocket(createLine(address, 11211, '0A', 4242), 'tcp'), {
    address: '10.0.0.1',
    port: 11211,
    inode: 4242,
  })
  t.is(parseListeningSocket(createLine(address, 11211, '01', 4242), 'tcp'), null)
  t.is(parseListeningSocket(header, 'tcp'), null)
  t.is(parseListeningSocket('', 'tcp'), null)
})

test('reads all listening sockets of a file that is longer than one read', t => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-sockets-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'tcp')
  const address = createWords(0x7f000001)
  const listening = Array.from({ length: 500 }, (_, i) => createLine(address, 1000 + i, '0A', 50_000 + i))
  writeFileSync(path, [header, ...listening, createLine(address, 9, '01', 1), ''].join('\n'))
  t.deepEqual(
    readListeningSockets(path, 'tcp').map(({ port }) => port),
    listening.map((_, i) => 1000 + i),
  )
})

test('reads an empty list', t => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-sockets-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'tcp')
  writeFileSync(path, `${header}\n`)
  t.deepEqual(readListeningSockets(path, 'tcp'), [])
})
