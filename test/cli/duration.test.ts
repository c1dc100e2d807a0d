import test from 'ava'
import { InvalidArgumentError } from 'commander'
import { parseDuration } from '../../src/cli/duration.js'

for (const [text, seconds] of [
  ['500ms', 0.5],
  ['5s', 5],
  ['5', 5],
  ['0.5', 0.5],
  ['1.5m', 90],
  ['24h', 86_400],
] as const) {
  test(`${text} is ${seconds} seconds`, t => t.is(parseDuration(text), seconds))
}

for (const text of [
  '',
  's',
  'soon',
  '0',
  '0s',
  '-1',
  '-1s',
  '1e3',
  '1e3s',
  '5 s',
  '5sec',
  '.5s',
  '5S',
  '٥s',
]) {
  test(`'${text}' is no duration`, t => {
    t.throws(() => parseDuration(text), { instanceOf: InvalidArgumentError, message: /500ms, 5s, 2m or 1h/ })
  })
}

test('a day is the longest', t => {
  t.throws(() => parseDuration('86401'), { instanceOf: InvalidArgumentError, message: /24h at most/ })
})
