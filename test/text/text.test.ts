import test from 'ava'
import fc from 'fast-check'
import { toAscii } from '../../src/text/ascii.js'
import { formatBar } from '../../src/text/bar.js'
import { printable } from '../../src/text/printable.js'
import { createStyle } from '../../src/text/style.js'
import { formatBytes, formatCount, formatDuration, formatShare, formatShort } from '../../src/text/units.js'
import { alignLeft, alignRight, cut, displayWidth, wrap } from '../../src/text/width.js'

test('printable takes escapes and control characters out and leaves words in', t => {
  t.is(printable('\u001B[31mred\u001B[0m'), 'red')
  t.is(printable('\u001B]0;title\u0007name'), 'name')
  t.is(printable('\u009B2Ja\r\nb\tc\u0000'), 'abc')
  t.is(printable('a\u202Eb\u200Bc\uD800\u2028'), 'abc')
  t.is(printable('nginx: worker {bold} é 漢'), 'nginx: worker {bold} é 漢')
})

test('nothing printable leaves can steer a terminal', t => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\u001B', '[', ']', '3', 'm', '\u009B', '\u0007') }),
      (a, b) => {
        t.notRegex(printable(a + b), /\p{C}/u)
      },
    ),
  )
})

test('aligned text has exactly its columns, and wrapped text no more', t => {
  const text = fc.string({ unit: 'grapheme' }).map(value => printable(value))
  fc.assert(
    fc.property(text, fc.integer({ min: 2, max: 30 }), (value, columns) => {
      t.is(displayWidth(alignLeft(value, columns)), columns)
      t.is(displayWidth(alignRight(value, columns)), columns)
      const lines = wrap(value, columns)
      t.true(lines.every(line => displayWidth(line) <= columns))
      t.is(lines.join('').replaceAll(' ', ''), value.replaceAll(' ', ''))
    }),
  )
})

test('wide characters count two columns and are never cut in half', t => {
  t.is(displayWidth('a漢é'), 4)
  t.is(displayWidth('e\u0301'), 1)
  t.is(cut('漢漢', 3), '漢')
  t.is(alignLeft('漢漢', 3), '漢 ')
})

test('times have three significant digits and the unit that fits', t => {
  const cases: [number | null, string][] = [
    [null, '-'],
    [0, '0 ns'],
    [0.005, '5 ns'],
    [0.9994, '999 ns'],
    [1, '1.00 µs'],
    [61.24, '61.2 µs'],
    [999.4, '999 µs'],
    [999.6, '1.00 ms'],
    [1_210, '1.21 ms'],
    [5_000_000, '5.00 s'],
    [4_000_000_000, '4000 s'],
  ]
  for (const [us, text] of cases) {
    t.is(formatDuration(us), text)
  }
})

test('numbers, sizes and shares are short', t => {
  t.is(formatCount(1_234_567), '1,234,567')
  t.is(formatShort(null), '-')
  t.is(formatShort(0), '0')
  t.is(formatShort(999.4), '999')
  t.is(formatShort(999.6), '1.00k')
  t.is(formatShort(20_123), '20.1k')
  t.is(formatBytes(61_000_000), '61.0 MB')
  t.is(formatShare(0), '0 %')
  t.is(formatShare(0.001), '<1 %')
  t.is(formatShare(0.612), '61 %')
})

test('a bar grows with its share, shows the smallest one, and never leaves its columns', t => {
  t.is(formatBar(0, 10), '')
  t.is(formatBar(0.0001, 10), '▌')
  t.is(formatBar(0.25, 10), '██▌')
  t.is(formatBar(1, 10), '██████████')
  t.is(formatBar(1.2, 3), '███')
  t.is(formatBar(0.5, 0), '')
})

test('styles are terminal codes with colour and nothing without', t => {
  t.is(createStyle(true).red('x'), '\u001B[31mx\u001B[0m')
  t.is(createStyle(true).red(''), '')
  t.is(createStyle(false).red('x'), 'x')
})

test('ASCII takes the same columns', t => {
  t.is(toAscii('61.2 µs ██▌ ↑↓ é'), '61.2 us ##- ^v ?')
  t.is(toAscii('\u001B[1mx'), '\u001B[1mx')
})
