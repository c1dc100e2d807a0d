import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const TAUT = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url))

type Outcome = { code: number | null; stdout: string; stderr: string }

const runTaut = (...args: string[]): Promise<Outcome> => runTautAs({}, ...args)

const runTautAs = (user: { uid?: number }, ...args: string[]): Promise<Outcome> =>
  new Promise(resolve => {
    const child = execFile(process.execPath, [TAUT, ...args], user, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
  })

for (const [line, complaint] of [
  ['measure --for soon', "option '--for <duration>' argument 'soon' is invalid"],
  ['measure --for 25h', 'It takes 24h at most'],
  ['measure --budget 0%', 'It takes a percentage above 0 and up to 100'],
  ['live --budget 101', 'It takes a percentage above 0 and up to 100'],
  ['tune --only irq', 'There is no knob irq'],
  ['tune --exclude net.rps,irq', 'There is no knob irq; there are irq.affinity, net.rps,'],
  ['tune --goal p98', 'Allowed choices are p99, p99.9, p50, throughput, energy'],
  [
    'tune --allow cpu=much',
    'It takes one of p50, p99, mean, throughput, cpu, energy and a percentage, as cpu=+20%',
  ],
  ['tune --target p98<1ms', "It takes a limit such as 'p99<1ms'"],
  ['tune --target p99<0ms', "It takes a limit such as 'p99<1ms'"],
  ['tune --for 0s', 'It takes a time such as 500ms, 5s, 2m or 1h'],
  ['tune --allow heat=+5%', 'It takes one of p50, p99, mean, throughput, cpu, energy'],
  ['tune --target p99=1ms', "It takes a limit such as 'p99<1ms'"],
  ['compare a.txt', "missing required argument 'b'"],
  ['compare a b --margin much', 'It takes a percentage below 100'],
  ['measure --port 0', 'A port is a whole number from 1 to 65535'],
  ['measure --port 65536', 'A port is a whole number from 1 to 65535'],
  ['measure --port http', 'A port is a whole number from 1 to 65535'],
  ['measure --pid -1', 'A process id is a whole number from 1'],
  ['measure --to 0', 'A port is a whole number from 1 to 65535; only TCP is followed to other services'],
  ['measure --to 192.0.2.1:', 'A port is a whole number from 1 to 65535'],
  ['measure --to localhost:80', 'An address is one of IPv4, as 192.0.2.1:5432, or one of IPv6'],
  ['measure --to 192.0.2:80', 'An address is one of IPv4'],
  ['measure --to 2001:db8::1:80', 'An address is one of IPv4'],
  ['measure --to [192.0.2.1]:80', 'An address is one of IPv4'],
  ['measure --to [fe80::1%eth0]:80', 'An address is one of IPv4'],
  ['measure --to :80', 'An address is one of IPv4'],
  ['measure --to 0.0.0.0:80', 'Nobody sends to that address'],
  ['measure --to [::]:80', 'Nobody sends to that address'],
  ['measure --fast', "unknown option '--fast'"],
  ['measure 11211', "measure takes options only, not '11211'"],
  ['live --port', "option '--port <number>' argument missing"],
  ['doctor --verbose', "unknown option '--verbose'"],
  ['demo --for ever', "option '--for <duration>' argument 'ever' is invalid"],
  ['polish', "unknown command 'polish'"],
  ['polish --port 80', "unknown command 'polish'"],
  ['--debug polish', "unknown command 'polish'"],
  ['mesure', "unknown command 'mesure'\n(Did you mean measure?)"],
  ['--port 80 extra', "live takes options only, not 'extra'"],
  ['--prot 80', "unknown option '--prot'\n(Did you mean --port?)"],
] as const) {
  test(`wrong usage, exit 2: taut ${line}`, async t => {
    const { code, stdout, stderr } = await runTaut(...line.split(' '))
    t.is(code, 2, stderr)
    t.true(stderr.startsWith('taut: '), stderr)
    t.true(stderr.includes(complaint), stderr)
    t.true(stderr.endsWith('\n(add --help to see what there is)\n'), stderr)
    t.is(stdout, '')
  })
}

test('what is wrong with the arguments is told without their terminal codes', async t => {
  const { code, stderr } = await runTaut('\u001b[2Jred')
  t.is(code, 2)
  t.regex(stderr, /^taut: unknown command 'red'\n/)
})

test('an option that no knob asks for is refused, for what was meant by it would not be done', async t => {
  const { code, stderr } = await runTaut('apply', '--set', 'vm.thp=never', '--cpus', '0', '--dry-run')
  t.is(code, 2, stderr)
  t.regex(stderr, /^taut: --cpus says nothing to vm\.thp/)
})

/** Who nobody is, for those who may choose. */
const NOBODY = process.getuid?.() === 0 ? { uid: 65534 } : {}

test('whoever may not change settings is told what would be changed', async t => {
  const dry = await runTautAs(NOBODY, 'apply', '--set', 'vm.thp=always', '--set', 'vm.thp=never', '--dry-run')
  t.is(dry.code, 0, dry.stderr)
  t.regex(dry.stdout, /^ {2}echo (always|never) > \/sys\/kernel\/mm\/transparent_hugepage\/enabled$/m)
  const real = await runTautAs(NOBODY, 'apply', '--set', 'vm.thp=never', '--yes')
  t.is(real.code, 4)
  t.regex(real.stderr, /^taut: cannot change settings: only root may \(try: sudo taut/)
})

for (const [line, ...parts] of [
  ['--help', 'live', 'measure', 'doctor', 'demo', '--debug', 'Exit codes: 0 done'],
  ['measure --help', '--port', '--netns', 'the one with the most traffic', '(default: 5s)', '--ready-file'],
  ['live --help', '--port', '--netns', '--json'],
  ['--port 80 --help', 'Usage: taut live'],
  ['doctor --help', '--json'],
  ['advise --help', '--port', '--for', '--json'],
  [
    'tune --help',
    '--goal',
    '--for',
    '(default: 3m)',
    '--only',
    '--exclude',
    '--allow',
    '--dry-run',
    '--until-revert',
  ],
  ['compare --help', '--quantity', '--margin', '(default: 5%)', 'HdrHistogram'],
  ['demo --help', '--for', '(default: 5s)'],
] as const) {
  test(`help: taut ${line}`, async t => {
    const { code, stdout, stderr } = await runTaut(...line.split(' '))
    t.is(code, 0, stderr)
    t.is(stderr, '')
    for (const part of parts) t.true(stdout.includes(part), part)
  })
}

test('the version', async t => {
  const { code, stdout } = await runTaut('--version')
  t.is(code, 0)
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/)
})
