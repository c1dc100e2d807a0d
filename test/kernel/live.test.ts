import { openConnection } from './support/client.js'
import { keepAsking, startMemcachedOfBoth } from './support/datagrams.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { listBpf, waitUntilBpfIsGone } from './support/leftovers.js'
import { runLoad } from './support/load.js'
import { endProcess } from './support/processes.js'
import { type Service, startMemcached, startService } from './support/services.js'
import { openTerminal, type Terminal, type TerminalEnd } from './support/terminal.js'
import { waitFor } from './support/wait.js'

const RESTORED = 'alternate 0, cursor 1, mouse 0'
const ESCAPE = String.fromCharCode(27)
const COLOR = new RegExp(`${ESCAPE}\\[(?:\\d+;)*[34]\\d[;m]`)

/** Starts a service that is kept busy until the test is over. */
const startBusyService = async (t: Context): Promise<Service> => {
  const service = await startMemcached(t)
  keepBusy(t, service)
  return service
}

const keepBusy = (t: Context, { port }: Service): void => {
  void runLoad(t, { port, connections: 2, rate: 500, requests: 1_000_000 }).catch(() => undefined)
}

const assertRestored = (t: Context, { screen, modes }: TerminalEnd): void => {
  t.is(screen, RESTORED)
  t.is(modes.after, modes.before)
}

for (const [columns, rows] of [
  [80, 24],
  [40, 24],
] as const) {
  kernelTest(
    `live shows the service and its stages on ${columns} columns, and gives the terminal back`,
    async t => {
      const service = await startBusyService(t)
      const terminal = await openTerminal(t, { columns, rows }, 'live', '--port', service.port)
      await terminal.waitForScreen(/memcached/, /p99/, /app_cpu/, /recv/)
      t.regex(await terminal.captureCodes(), COLOR)
      await terminal.press('q')
      const end = await terminal.waitForEnd()
      t.is(end.code, 0)
      assertRestored(t, end)
    },
    'tmux',
    'memcached',
  )
}

kernelTest(
  'taut alone opens the live view of the busiest service; NO_COLOR takes its colours away',
  async t => {
    await startBusyService(t)
    const terminal = await openTerminal(t, { columns: 80, rows: 24, env: { NO_COLOR: '1' } })
    await terminal.waitForScreen(/memcached/, /app_cpu/)
    t.notRegex(await terminal.captureCodes(), COLOR)
    await terminal.press('q')
    t.is((await terminal.waitForEnd()).code, 0)
  },
  'tmux',
  'memcached',
)

/** Waits until the live view has been refreshed so many times, and gives the screen. */
const waitForRefreshes = async (terminal: Terminal, times: number): Promise<string> => {
  const readSeconds = (screen: string): number => Number(/^ taut .* (\d+) s *$/m.exec(screen)?.[1])
  const until = readSeconds(await terminal.waitForScreen(/^ taut .* \d+ s *$/m)) + times
  return waitFor(`${times} refreshes`, async () => {
    const screen = await terminal.waitForScreen(/^ taut .* \d+ s *$/m)
    return readSeconds(screen) >= until ? screen : null
  })
}

kernelTest(
  'live lists a service of UDP that has traffic, beside that of TCP on the same port',
  async t => {
    const service = await startMemcachedOfBoth(t)
    await keepAsking(t, service)
    const terminal = await openTerminal(t, { columns: 80, rows: 40 })
    await terminal.waitForScreen(
      new RegExp(`^>\\* memcached +${service.port}/udp +${service.pid} +\\d`, 'm'),
      new RegExp(`^   memcached +${service.port}/tcp +${service.pid} +0$`, 'm'),
      new RegExp(`^ memcached udp ${service.port} `, 'm'),
      /app_cpu/,
    )
    await terminal.press('q')
    t.is((await terminal.waitForEnd()).code, 0)
  },
  'tmux',
  'memcached',
)

kernelTest(
  'live lists a service of UDP that has no traffic only where it is the one that is traced',
  async t => {
    const service = await startMemcachedOfBoth(t)
    const quiet = await openTerminal(t, { columns: 80, rows: 40 }, 'live', '--port', `${service.port}/udp`)
    await quiet.waitForScreen(new RegExp(`^>\\* memcached +${service.port}/udp `, 'm'), /tracing/)
    await quiet.press('q')
    t.is((await quiet.waitForEnd()).code, 0)
    const other = await openTerminal(t, { columns: 80, rows: 40 }, 'live', '--port', service.port)
    const screen = await other.waitForScreen(
      new RegExp(`^>\\* memcached +${service.port}/tcp `, 'm'),
      /tracing/,
    )
    t.notRegex(screen, /\/udp/)
    await other.press('q')
    t.is((await other.waitForEnd()).code, 0)
  },
  'tmux',
  'memcached',
)

kernelTest(
  'live keeps showing what happened in intervals that are over',
  async t => {
    const service = await startService(t)
    const terminal = await openTerminal(t, { columns: 80, rows: 24 }, 'live', '--port', service.port)
    await terminal.waitForScreen(/tracing/, /no requests in this interval/, /unanswered 0/)
    const connection = await openConnection(t, service)
    connection.write('half a request')
    connection.destroy()
    await terminal.waitForScreen(/unanswered 1/)
    t.regex(await waitForRefreshes(terminal, 3), /unanswered 1/)
    await terminal.press('q')
    t.is((await terminal.waitForEnd()).code, 0)
  },
  'tmux',
)

kernelTest(
  'live follows a service that starts anew',
  async t => {
    const first = await startBusyService(t)
    const terminal = await openTerminal(t, { columns: 80, rows: 24 }, 'live', '--port', first.port)
    await terminal.waitForScreen(
      new RegExp(`^>\\* memcached .* ${first.pid} `, 'm'),
      /CPU \d+ % {2}[\d.]+ MB/,
    )
    await endProcess(first)
    await terminal.waitForScreen(/^ memcached tcp \d+ {2}0 requests\/s {2}\d+ in flight$/m)
    const second = await startMemcached(t, ['-p', first.port])
    t.is(second.port, first.port)
    keepBusy(t, second)
    await terminal.waitForScreen(
      new RegExp(`^>\\* memcached .* ${second.pid} `, 'm'),
      /^ memcached tcp \d+ {2}\d+ requests\/s {2}\d+ in flight {2}CPU \d+ % {2}[\d.]+ MB$/m,
      /tracing/,
    )
    await terminal.press('q')
    t.is((await terminal.waitForEnd()).code, 0)
  },
  'tmux',
  'memcached',
)

kernelTest(
  'demo on a terminal is a live view',
  async t => {
    const terminal = await openTerminal(t, { columns: 80, rows: 24 }, 'demo')
    await terminal.waitForScreen(/app_cpu/, /recv/)
    await terminal.press('q')
    const end = await terminal.waitForEnd()
    t.is(end.code, 0)
    assertRestored(t, end)
  },
  'tmux',
)

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) {
  kernelTest(
    `live gives the terminal back on ${signal}`,
    async t => {
      const service = await startBusyService(t)
      const terminal = await openTerminal(t, { columns: 80, rows: 24 }, 'live', '--port', service.port)
      await terminal.waitForScreen(/memcached/, /app_cpu/)
      process.kill(terminal.pid, signal)
      const end = await terminal.waitForEnd()
      t.is(end.code, 130)
      assertRestored(t, end)
    },
    'tmux',
    'memcached',
  )
}

kernelTest(
  'Ctrl-C in the live view is an interrupt',
  async t => {
    const service = await startBusyService(t)
    const terminal = await openTerminal(t, { columns: 80, rows: 24 }, 'live', '--port', service.port)
    await terminal.waitForScreen(/memcached/, /app_cpu/)
    await terminal.press('C-c')
    const end = await terminal.waitForEnd()
    t.is(end.code, 130)
    assertRestored(t, end)
  },
  'tmux',
  'memcached',
)

kernelTest(
  'live, killed, leaves no program, link or map',
  async t => {
    const before = new Set(listBpf())
    const service = await startBusyService(t)
    const terminal = await openTerminal(t, { columns: 80, rows: 24 }, 'live', '--port', service.port)
    await terminal.waitForScreen(/memcached/, /app_cpu/)
    t.true(listBpf().some(item => !before.has(item)))
    process.kill(terminal.pid, 'SIGKILL')
    t.is((await terminal.waitForEnd()).code, 128 + 9)
    await waitUntilBpfIsGone(before)
  },
  'tmux',
  'memcached',
)

kernelTest(
  'measure on a terminal fits it, and NO_COLOR takes its colours away',
  async t => {
    const service = await startBusyService(t)
    for (const [columns, env, hasColor] of [
      [80, {}, true],
      [40, { NO_COLOR: '1' }, false],
    ] as const) {
      const args = ['measure', '--port', service.port, '--for', '500ms']
      const terminal = await openTerminal(t, { columns, rows: 80, env }, ...args)
      const { code } = await terminal.waitForEnd()
      t.is(code, 0)
      await terminal.waitForScreen(/memcached/, /app_cpu/, /Lost: nothing/)
      const lines = await terminal.captureLines()
      t.deepEqual(
        lines.filter(line => line.length > columns),
        [],
      )
      t.is(COLOR.test(await terminal.captureCodes()), hasColor)
    }
  },
  'tmux',
  'memcached',
)
