import { execFile } from 'node:child_process'
import { copyFile, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Running, startProcess, waitForOutput } from './support/processes.js'
import { runTaut } from './support/taut.js'
import {
  MIDST,
  mountState,
  RPS,
  RPS_FILE,
  STRIDE,
  type World,
  waitForGuard,
  wayBackTest,
} from './support/way-back.js'

const run = promisify(execFile)

/** Knobs whose effect is seen at once, and those of which threads or packets would have to tell, which may not come meanwhile. */
const SEEN = ['nic.offload.gro', 'net.threaded_napi', 'cpu.idle_latency']
const PERHAPS_SEEN = ['cpu.app_affinity', 'net.rps']

const listStates = (knob: string, where: string): string[] => {
  if (PERHAPS_SEEN.includes(knob) || where.startsWith('CPUs of ')) return ['verified', 'written']
  return SEEN.includes(knob) ? ['verified'] : ['written']
}

wayBackTest('ten knobs are set, seen in the kernel, and put back', async (world, before) => {
  const { t } = world
  const applied = await world.taut(...world.apply, '--json')
  t.is(applied.code, 0, applied.stderr)
  const changes: { knob: string; where: string; state: string; id: number }[] = JSON.parse(applied.stdout)
  t.is(new Set(changes.map(({ knob }) => knob)).size, world.ten.length)
  for (const { knob, where, state } of changes)
    t.true(listStates(knob, where).includes(state), `${knob}, ${where}: ${state}`)

  const after = await world.settings()
  t.not(after, before)
  const { stdout: affinity } = await run('taskset', ['-pc', String(world.service.pid)])
  t.regex(affinity, /: 0$/m)
  const thp = world.ten.at(-1)?.split('=')[1]
  t.true((await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8')).includes(`[${thp}]`))
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
  'a place that is set twice comes back to what it was, and the first says by whom it was set again',
  async (world, before) => {
    const { t } = world
    const tell = async (...args: string[]) => {
      const { code, stdout, stderr } = await world.taut(...args, '--json')
      t.is(code, 0, stderr)
      return JSON.parse(stdout).filter(({ where }: { where: string }) => where === RPS_FILE)
    }
    const applied = await tell(
      'apply',
      '--set',
      'net.rps=all',
      '--set',
      'net.rps=0',
      '--nic',
      'wide',
      '--yes',
    )
    t.is(applied.length, 2)
    t.is(applied[0].note, 'a later setting has set it again')
    t.is(applied[1].from, applied[0].to)
    const [first, second] = await tell('status')
    t.is(first.note, `change ${first.id} set it again`)
    t.is(second.state, applied[1].state)
    await tell('revert')
    t.is(await world.settings(), before)
  },
)

wayBackTest('what was kept stays, when a later run is killed', async (world, before) => {
  const { t } = world
  t.is((await world.taut(...RPS)).code, 0)
  const kept = await world.settings()
  t.not(kept, before)
  t.is((await world.broken({ way: 'kill', at: MIDST }, ...world.apply)).signal, 'SIGKILL')
  await waitForGuard(world)
  t.is(await world.settings(), kept)
  t.is((await world.broken({ way: 'kill-all', at: MIDST }, ...world.apply)).signal, 'SIGKILL')
  t.not(await world.settings(), kept)
  // That of the killed run, with what it belongs to, and no more.
  t.is((await world.taut('apply', '--set', 'net.rps=all', '--nic', 'wide', '--yes')).code, 0)
  t.is(await world.settings(), kept)
  t.is((await world.taut('revert', '--all')).code, 0)
  t.is(await world.settings(), before)
})

wayBackTest('a terminal that is lost, or Ctrl-C: everything is as it was', async (world, before) => {
  const { t } = world
  for (const way of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
    const { code, stderr } = await world.broken({ way, at: MIDST }, ...world.apply)
    t.is(code, 130, stderr)
    t.is(stderr, 'taut: interrupted; everything is as it was\n')
    t.is(await world.settings(), before, way)
    t.is((await world.taut('status', '--json')).stdout, '[]\n')
  }
})

wayBackTest('the journal is on disk, and its folder, before a setting is written', async world => {
  const { t } = world
  const log = join(world.state, '..', 'calls')
  const options = {
    netns: world.netns,
    env: { ...world.env, NODE_OPTIONS: world.breaking, TAUT_TEST_LOG: log },
  }
  t.is((await runTaut(t, RPS, options)).code, 0)
  const calls = (await readFile(log, 'utf8')).trim().split('\n')
  const at = calls.indexOf(`openSync ${RPS_FILE}`)
  t.true(at > 0, calls.join('; '))
  const draft = calls.slice(0, at).findLastIndex(call => call.endsWith('journal.json.new'))
  // The last of the folder's openings and of what follows: the file, through; into place; the folder, through.
  t.deepEqual(
    calls
      .slice(0, at)
      .filter((call, index) => index > draft && !call.startsWith('openSync'))
      .map(call => call.split(' ')[0]),
    ['writeSync', 'fsyncSync', 'renameSync', 'fsyncSync'],
  )
})

wayBackTest(
  'writes that fail, of a knob or of the journal, leave everything as it was',
  async (world, before) => {
    const { t } = world
    for (let at = 1; ; at += 3 * STRIDE) {
      const { code, stderr, isStruck } = await world.broken({ way: 'ENOSPC', at }, ...world.apply)
      if (code === 0) {
        t.is((await world.taut('revert', '--all')).code, 0)
        if (isStruck) continue
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

wayBackTest('a write that fails at each of ten knobs: everything is taken back', async (world, before) => {
  const { t } = world
  const failed = new Set<string>()
  for (let at = 1; ; at++) {
    const { code, stderr, isStruck } = await world.broken({ way: 'EIO', at, steps: 'knobs' }, ...world.apply)
    if (!isStruck) {
      t.is(code, 0, stderr)
      t.is((await world.taut('revert', '--all')).code, 0)
      t.log(`${at - 1} writes of settings`)
      t.deepEqual(failed, new Set(world.ten.map(text => text.split('=')[0])))
      return
    }
    t.is(code, 1, stderr)
    failed.add(/^taut: cannot set (\S+) to .*(?:EIO|cannot hold)/.exec(stderr)?.[1] ?? stderr)
    t.regex(stderr.replaceAll(/\s+/g, ' '), /everything is as it was/)
    t.is(await world.settings(), before, `failed at ${at}`)
  }
})

wayBackTest(
  'a disk that is full from the midst on: everything is put back, and the journal says so once it can',
  async (world, before) => {
    const { t } = world
    const breaking = { way: 'ENOSPC', at: MIDST, afterwards: 'full' } as const
    const { code, stderr } = await world.broken(breaking, ...world.apply)
    t.is(code, 1)
    t.regex(stderr, /^taut: .*ENOSPC/)
    t.is(await world.settings(), before)
    const reverted = await world.taut('revert', '--all')
    t.is(reverted.code, 0, reverted.stderr)
    t.is(await world.settings(), before)
    t.is((await world.taut('status', '--json')).stdout, '[]\n')
  },
)

/** Starts a program that has that name, and does nothing. */
const startNamed = async ({ t, state }: World, name: string): Promise<Running> => {
  const path = join(state, '..', name)
  await copyFile('/bin/cat', path)
  const running = await startProcess(t, path, [])
  // It echoes: then it runs under its own name.
  running.child.stdin?.write('ready\n')
  await waitForOutput(running, /^ready\n/)
  return running
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
    t.is((await world.taut(...RPS)).code, 0)
    await world.sh(`echo 2 >${RPS_FILE}`)
    const tuners = await Promise.all(['tuned', 'irqbalance'].map(name => startNamed(world, name)))
    const [{ state, note }] = JSON.parse((await world.taut('status', '--json')).stdout)
    t.is(state, 'changed-by-other')
    // irqbalance has nothing to do with that.
    t.true(note.startsWith('it is 2 now, set by ') && note.endsWith(', or by a person'), note)
    t.deepEqual(
      [note.includes(`tuned (${tuners[0]?.pid})`), note.includes('irqbalance')],
      [true, false],
      note,
    )
    const refused = await world.taut('revert', '--json')
    t.is(refused.code, 1)
    t.is(
      JSON.parse(refused.stdout).find(({ where }: { where: string }) => where === RPS_FILE).state,
      'changed-by-other',
    )
    t.regex(await world.sh(`cat ${RPS_FILE}`), /2$/m)
    t.is((await world.taut('revert', '--force')).code, 0)
    t.is(await world.settings(), before)
  },
)

wayBackTest('a damaged, forged or linked journal is refused, and nothing of it obeyed', async world => {
  const { t } = world
  t.is((await world.taut(...RPS)).code, 0)
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
