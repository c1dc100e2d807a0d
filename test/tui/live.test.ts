import { stripVTControlCharacters } from 'node:util'
import anyTest, { type TestFn } from 'ava'
import blessed from 'blessed'
import { type LiveScreen, openLiveScreen } from '../../src/tui/live.js'
import type { LiveService } from '../../src/tui/model.js'
import { exampleModel, exampleServices, quietService, tracedService } from './example-model.js'
import { FakeInput, FakeOutput } from './fake-terminal.js'

type Fixture = {
  screen: LiveScreen
  input: FakeInput
  output: FakeOutput
  chosen: LiveService[]
  quits: () => boolean[]
  shown: () => string
}

// The screen takes over the process's signals, so the tests take turns.
const test = anyTest.serial as TestFn
const signals = ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGHUP'] as const
const countListeners = (): number[] => signals.map(signal => process.listenerCount(signal))

const open = (columns = 80, rows = 24, color = false): Fixture => {
  process.env.LC_ALL = 'C.UTF-8'
  const input = new FakeInput()
  const output = new FakeOutput(columns, rows)
  const chosen: LiveService[] = []
  const quits: boolean[] = []
  const screen = openLiveScreen({
    input,
    output,
    color,
    onChoose: service => chosen.push(service),
    onQuit: isInterrupt => quits.push(isInterrupt),
  })
  const { Screen } = blessed as unknown as { Screen: { global: { screenshot(): string } | null } }
  return {
    screen,
    input,
    output,
    chosen,
    quits: () => quits,
    shown: () => stripVTControlCharacters(Screen.global?.screenshot() ?? ''),
  }
}

// Blessed reads and writes once a turn of the event loop.
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

const press = async (input: FakeInput, keys: string): Promise<void> => {
  input.write(keys)
  await turn()
}

test('a model is drawn on the terminal', t => {
  const { screen, shown } = open()
  t.teardown(screen.close)
  t.regex(shown(), /taut {2}starting/)
  screen.update(exampleModel())
  t.regex(shown(), /^>\* memcached/m)
  t.regex(shown(), /^ runqueue +.*█/m)
  screen.update(exampleModel({ status: 'attaching' }))
  t.regex(shown(), /taut {2}attaching/)
})

test('nothing is written to what is no terminal', t => {
  const output = new FakeOutput(80, 24, false)
  const before = countListeners()
  const options = { input: new FakeInput(), output, color: false, onChoose() {}, onQuit() {} }
  t.throws(() => openLiveScreen(options), { instanceOf: TypeError, message: /output must be a terminal/ })
  t.is(output.written, '')
  t.deepEqual(countListeners(), before)
})

test('closing gives the terminal back, once', async t => {
  const before = countListeners()
  const { screen, input, output, quits } = open()
  t.teardown(screen.close)
  await turn()
  t.true(output.written.includes('\u001B[?1049h'))
  t.true(output.written.includes('\u001B[?25l'))
  t.true(input.isRaw)
  screen.update(exampleModel())
  screen.close()
  t.true(output.written.lastIndexOf('\u001B[?1049l') > output.written.lastIndexOf('\u001B[?1049h'))
  t.true(output.written.lastIndexOf('\u001B[?25h') > output.written.lastIndexOf('\u001B[?25l'))
  t.false(input.isRaw)

  const { written } = output
  screen.close()
  screen.update(exampleModel())
  screen.message('late')
  t.is(output.written, written)
  t.deepEqual(quits(), [])
  t.deepEqual(countListeners(), before)
})

test('keys move the cursor, and Enter chooses the service under it', async t => {
  const { screen, input, chosen, shown } = open()
  t.teardown(screen.close)
  screen.update(exampleModel())
  await press(input, 'j')
  await press(input, '\u001B[B')
  t.regex(shown(), /^> {2}nginx/m)
  await press(input, 'k')
  await press(input, '\r')
  t.deepEqual(chosen, [quietService])
  await press(input, '\u001B[A')
  await press(input, '\r')
  t.deepEqual(chosen, [quietService, tracedService])
})

test('Enter on an empty list chooses nothing', async t => {
  const { screen, input, chosen } = open()
  t.teardown(screen.close)
  await press(input, 'j\r')
  screen.update(exampleModel({ services: [] }))
  await press(input, 'j\r')
  t.deepEqual(chosen, [])
})

test('the cursor stays on its service when the list is sorted anew', async t => {
  const { screen, input, shown } = open()
  t.teardown(screen.close)
  screen.update(exampleModel())
  await press(input, 'j')
  screen.update(exampleModel({ services: exampleServices.toReversed() }))
  t.regex(shown(), /^> {2}redis-server/m)
})

test('space holds the screen still and shows the latest when it goes on', async t => {
  const { screen, input, shown } = open()
  t.teardown(screen.close)
  screen.update(exampleModel({ status: 'first' }))
  await press(input, ' ')
  screen.update(exampleModel({ status: 'second' }))
  screen.update(exampleModel({ status: 'third' }))
  t.regex(shown(), /first +PAUSED/)
  await press(input, ' ')
  t.regex(shown(), /third/)
  t.notRegex(shown(), /PAUSED/)
})

test('the help comes, scrolls and goes', async t => {
  const { screen, input, shown, chosen } = open()
  t.teardown(screen.close)
  screen.update(exampleModel())
  await press(input, '?')
  t.regex(shown(), /Ctrl-C +quit/)
  await press(input, 'j\r')
  t.notRegex(shown(), /move the cursor/)
  t.deepEqual(chosen, [])
  await press(input, '?')
  t.regex(shown(), /^>\* memcached/m)
})

test('a message takes the place of the keys until the next key', async t => {
  const { screen, input, shown } = open()
  t.teardown(screen.close)
  screen.update(exampleModel())
  screen.message('redis-server: attaching')
  t.regex(shown(), /^ redis-server: attaching/m)
  t.notRegex(shown(), /q quit/)
  await press(input, 'j')
  t.regex(shown(), /q quit/)
})

for (const [name, key, isInterrupt] of [
  ['q', 'q', false],
  ['Ctrl-C', '\u0003', true],
] as const) {
  test(`${name} restores the terminal, then quits once`, async t => {
    const { input, output, quits } = open()
    await press(input, key)
    await press(input, key)
    t.deepEqual(quits(), [isInterrupt])
    t.true(output.written.trimEnd().includes('\u001B[?1049l'))
    t.false(input.isRaw)
  })
}

for (const signal of signals) {
  test(`${signal} restores the terminal, then quits once, and does not end the process`, t => {
    const { output, quits } = open()
    process.emit(signal)
    t.deepEqual(quits(), [true])
    t.true(output.written.includes('\u001B[?1049l'))
  })
}

test('a new size is drawn at once', t => {
  const { screen, output, shown } = open(80, 24)
  t.teardown(screen.close)
  screen.update(exampleModel())
  for (const [columns, rows] of [
    [40, 20],
    [120, 40],
    [40, 8],
    [80, 24],
  ] as const) {
    output.resize(columns, rows)
    const lines = shown().split('\n')
    t.true(lines.every(line => line.length <= columns))
    t.regex(shown(), columns === 40 ? /\? q quit/ : /\? help {3}q quit/)
  }
})

test('without colour there is none, and with it there is', t => {
  const plain = open(80, 24, false)
  plain.screen.update(exampleModel())
  plain.screen.close()
  const colored = open(80, 24, true)
  colored.screen.update(exampleModel())
  colored.screen.close()
  const colors = /\[[\d;]*3[1-7]m/
  t.notRegex(plain.output.written, colors)
  t.regex(colored.output.written, colors)
})

test('a terminal without Unicode gets ASCII', async t => {
  const { LC_ALL } = process.env
  const first = open()
  first.screen.close()
  process.env.LC_ALL = 'C'
  t.teardown(() => {
    process.env.LC_ALL = LC_ALL
  })
  const output = new FakeOutput(80, 24)
  const screen = openLiveScreen({ input: new FakeInput(), output, color: false, onChoose() {}, onQuit() {} })
  t.teardown(screen.close)
  screen.update(exampleModel())
  await turn()
  t.regex(output.written, /#####/)
  t.notRegex(output.written, /\P{ASCII}/u)
})

test('one screen can follow another', t => {
  const first = open()
  first.screen.close()
  const second = open()
  t.teardown(second.screen.close)
  second.screen.update(exampleModel())
  t.regex(second.shown(), /^>\* memcached/m)
})
