import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { rootPath } from './support/fixtures.js'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { createNetnsPair } from './support/netns.js'
import { type Ending, type Running, startProcess } from './support/processes.js'
import { startMemcached } from './support/services.js'
import { takeSettings } from './support/settings.js'
import { runTaut, TAUT } from './support/taut.js'

const run = promisify(execFile)
const BREAKING = rootPath('dist/test/kernel/support/breaking.js')

/** Ten knobs, and what each is to become on the wire of a namespace. */
const TEN = [
  'nic.offload.gro=on',
  'net.threaded_napi=first',
  'net.rps=all',
  'net.xps=all',
  'net.gro_flush_timeout=20000',
  'net.napi_defer_hard_irqs=10',
  'cpu.app_affinity=first',
  'cpu.idle_latency=500',
  'kernel.timer_migration=0',
  'vm.thp=never',
]

/** A namespace with a service and a wire with two queues, and taut's own state for it. */
type World = {
  t: Context
  netns: string
  state: string
  service: Running
  apply: string[]
  settings: () => Promise<string>
  taut: (...args: string[]) => Promise<Ending>
  broken: (way: string, at: number, ...args: string[]) => Promise<Ending>
}

const createWorld = async (t: Context): Promise<World> => {
  const { server: netns } = await createNetnsPair(t)
  // A wire of several queues: on one queue there is nothing to steer by.
  const link = ['link', 'add', 'wide', 'numtxqueues', '2', 'numrxqueues', '2', 'type', 'veth']
  await run('ip', ['-n', netns, ...link, 'peer', 'name', 'far', 'numtxqueues', '2', 'numrxqueues', '2'])
  for (const name of ['wide', 'far']) await run('ip', ['-n', netns, 'link', 'set', name, 'up'])
  const state = join(await createFolder(t), 'state')
  const service = await startMemcached(t, ['-t', '2'], { netns })
  const env = { TAUT_STATE: state }
  return {
    t,
    netns,
    state,
    service,
    apply: [
      'apply',
      ...TEN.flatMap(text => ['--set', text]),
      '--nic',
      'wide',
      '--port',
      String(service.port),
      '--yes',
    ],
    settings: () => takeSettings(netns, [service.pid]),
    taut: (...args) => runTaut(t, args, { netns, env }),
    broken: async (way, at, ...args) => {
      const broken = { ...env, TAUT_TEST_WAY: way, TAUT_TEST_AT: String(at) }
      const options = { netns, env: broken }
      return (await startProcess(t, process.execPath, ['--import', BREAKING, TAUT, ...args], options)).ended
    },
  }
}

/** Registers a test that begins with a world, and what its settings are. */
const wayBackTest = (title: string, body: (world: World, before: string) => Promise<void>): void =>
  kernelTest(
    title,
    async t => {
      t.timeout(20 * 60_000)
      const world = await createWorld(t)
      await body(world, await world.settings())
    },
    'ip',
    'ethtool',
    'memcached',
  )

/** Knobs whose effect is seen at once, and those of which threads or packets would have to tell, which may not come meanwhile. */
const SEEN = ['nic.offload.gro', 'net.threaded_napi', 'cpu.idle_latency']
const PERHAPS_SEEN = ['cpu.app_affinity', 'net.rps']

const listStates = (knob: string, where: string): string[] => {
  if (PERHAPS_SEEN.includes(knob) || where.startsWith('CPUs of ')) return ['verified', 'written']
  return SEEN.includes(knob) ? ['verified'] : ['written']
}

/** The guard has the lock until it has put everything back. */
const waitForGuard = ({ state }: World): Promise<unknown> =>
  run('flock', ['-w', '60', join(state, 'lock'), 'true'])

wayBackTest('ten knobs are set, seen in the kernel, and put back', async (world, before) => {
  const { t } = world
  const applied = await world.taut(...world.apply, '--json')
  t.is(applied.code, 0, applied.stderr)
  const changes: { knob: string; where: string; state: string; id: number }[] = JSON.parse(applied.stdout)
  t.deepEqual(new Set(changes.map(({ knob }) => knob)).size, TEN.length)
  for (const { knob, where, state } of changes)
    t.true(listStates(knob, where).includes(state), `${knob}, ${where}: ${state}`)

  const after = await world.settings()
  t.not(after, before)
  const { stdout: affinity } = await run('taskset', ['-pc', String(world.service.pid)])
  t.regex(affinity, /: 0$/m)
  t.regex(await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8'), /\[never\]/)
  const status = JSON.parse((await world.taut('status', '--json')).stdout)
  t.deepEqual(
    status.map(({ knob, now }: { knob: string; now: string }) => [knob, now]),
    status.map(({ knob, to }: { knob: string; to: string }) => [knob, to]),
  )

  // The same again is nothing to do.
  t.is((await world.taut(...world.apply, '--json')).stdout, '[]\n')
  const reverted = await world.taut('revert', '--json')
  t.is(reverted.code, 0, reverted.stderr)
  t.is(JSON.parse(reverted.stdout).length, changes.length)
  t.is(await world.settings(), before)
  t.is((await world.taut('status', '--json')).stdout, '[]\n')
})

wayBackTest(
  'killed at any step of an apply: its guard puts everything back, or taut revert where that is killed as well',
  async (world, before) => {
    const { t } = world
    const readKept = async (): Promise<boolean> => {
      const text = await readFile(join(world.state, 'journal.json'), 'utf8').catch(() => '{"entries":[]}')
      return JSON.parse(text).entries.some(({ kept }: { kept: boolean }) => kept)
    }
    for (let at = 1; ; at++) {
      const hasGuard = at % 2 === 0
      const { code, signal } = await world.broken(hasGuard ? 'kill' : 'kill-all', at, ...world.apply)
      await waitForGuard(world)
      if (hasGuard && !(await readKept())) t.is(await world.settings(), before, `by the guard, ${at}`)
      const reverted = await world.taut('revert', '--all')
      t.is(reverted.code, 0, reverted.stderr)
      t.is(await world.settings(), before, `killed at ${at}`)
      if (code === 0) {
        t.log(`${at - 1} steps`)
        t.true(at > 150)
        return
      }
      t.is(signal, 'SIGKILL')
    }
  },
)

wayBackTest(
  'killed at every second step of a revert, the next one puts the rest back',
  async (world, before) => {
    const { t } = world
    const [apply, ...rest] = world.apply
    let struck = 0
    for (let at = 1; ; at += 2) {
      const applied = await world.taut(apply ?? '', ...rest)
      t.is(applied.code, 0, applied.stderr)
      const { code } = await world.broken('kill', at, 'revert')
      const reverted = await world.taut('revert', '--all')
      t.is(reverted.code, 0, reverted.stderr)
      t.is(await world.settings(), before, `killed at ${at}`)
      if (code === 0) break
      struck++
    }
    t.log(`${struck} steps`)
    t.true(struck > 25)
  },
)

wayBackTest(
  'every third write that fails, of a knob or of the journal, leaves everything as it was',
  async (world, before) => {
    const { t } = world
    for (let at = 1; ; at += 3) {
      const { code, stderr } = await world.broken('ENOSPC', at, ...world.apply)
      if (code === 0) {
        t.is((await world.taut('revert', '--all')).code, 0)
        t.log(`${at - 1} steps`)
        t.true(at > 150)
        return
      }
      t.is(code, 1, stderr)
      t.regex(stderr, /^taut: .*ENOSPC/)
      t.is(await world.settings(), before, `failed at ${at}`)
    }
  },
)

/** Puts the state on a disk of its own. */
const mountState = async ({ t, state }: World, options: string): Promise<void> => {
  await mkdir(state, { mode: 0o700 })
  await run('mount', ['-t', 'tmpfs', '-o', `mode=700,${options}`, 'tmpfs', state])
  t.teardown(() => run('umount', [state]))
}

for (const [title, options] of [
  ['a full disk', 'nr_inodes=1'],
  ['a disk that can only be read', 'ro'],
] as const) {
  wayBackTest(`${title}: nothing is changed, and it is said why`, async (world, before) => {
    const { t } = world
    await mountState(world, options)
    const { code, stderr } = await world.taut(...world.apply)
    t.is(code, 1)
    t.regex(stderr, /^taut: cannot keep the way back in .*(ENOSPC|EROFS).*nothing was changed/)
    t.is(await world.settings(), before)
  })
}

wayBackTest(
  "someone else's hand: what another has changed is left, and said, until --force",
  async (world, before) => {
    const { t } = world
    t.is((await world.taut('apply', '--set', 'net.rps=all', '--nic', 'wide', '--yes')).code, 0)
    const file = '/sys/class/net/wide/queues/rx-0/rps_cpus'
    await run('ip', ['netns', 'exec', world.netns, 'sh', '-c', `echo 2 >${file}`])
    const status = JSON.parse((await world.taut('status', '--json')).stdout)
    t.is(status[0].state, 'changed-by-other')
    const refused = await world.taut('revert', '--json')
    t.is(refused.code, 1)
    t.is(
      JSON.parse(refused.stdout).find(({ where }: { where: string }) => where === file).state,
      'changed-by-other',
    )
    t.regex((await run('ip', ['netns', 'exec', world.netns, 'cat', file])).stdout, /2$/m)
    t.is((await world.taut('revert', '--force')).code, 0)
    t.is(await world.settings(), before)
  },
)

wayBackTest(
  'two at once: the second is told whose turn it is, and changes nothing',
  async (world, before) => {
    const { t } = world
    await mkdir(world.state, { mode: 0o700 })
    const holder = await startProcess(t, 'flock', [join(world.state, 'lock'), 'cat'])
    // It says nothing: the second one tells when it has the lock.
    let ending = await world.taut('apply', '--set', 'net.rps=all', '--nic', 'wide', '--yes')
    while (ending.code === 0) {
      await world.taut('revert')
      ending = await world.taut('apply', '--set', 'net.rps=all', '--nic', 'wide', '--yes')
    }
    t.is(ending.code, 1)
    t.regex(ending.stderr, /^taut: another taut.* is changing settings/)
    t.is(await world.settings(), before)
    holder.child.stdin?.end()
    await holder.ended
  },
)

wayBackTest('a damaged, forged or linked journal is refused, and nothing of it obeyed', async world => {
  const { t } = world
  t.is((await world.taut('apply', '--set', 'net.rps=all', '--nic', 'wide', '--yes')).code, 0)
  const set = await world.settings()
  const path = join(world.state, 'journal.json')
  const good = await readFile(path)
  const refuse = async (what: string): Promise<void> => {
    for (const args of [
      ['revert', '--all'],
      ['status'],
      ['apply', '--set', 'net.rps=none', '--nic', 'wide', '--yes'],
    ]) {
      const { code, stderr } = await world.taut(...args)
      t.is(code, 1, what)
      t.regex(stderr, /^taut: .*journal\.json is /, what)
      t.false(stderr.includes('    at '), what)
    }
    t.is(await world.settings(), set, what)
  }
  for (const length of [0, 1, good.length >> 1, good.length - 3]) {
    await writeFile(path, good.subarray(0, length))
    await refuse(`cut at ${length}`)
  }
  for (let bit = 3; bit < good.length * 8; bit += Math.floor((good.length * 8) / 12)) {
    const flipped = Buffer.from(good)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    await writeFile(path, flipped)
    await refuse(`bit ${bit}`)
  }
  await writeFile(path, Buffer.alloc(5 << 20, 0x20))
  await refuse('absurdly large')
  await writeFile(join(world.state, 'elsewhere'), good, { mode: 0o600 })
  await run('rm', [path])
  await symlink(join(world.state, 'elsewhere'), path)
  await refuse('a link')
  await run('rm', [path])
  await writeFile(path, good, { mode: 0o600 })
  t.is((await world.taut('revert')).code, 0)
})
