import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import type { Entry } from '../../src/journal/entry.js'
import { readJournal, writeJournal } from '../../src/journal/journal.js'
import { openStateFolder } from '../../src/journal/state-folder.js'
import { WORKPLACE } from './support/leftovers.js'
import { listThreadStates, startProcess, waitForOutput } from './support/processes.js'
import { listChildren } from './support/scheduler.js'
import { runTaut, TAUT } from './support/taut.js'
import { waitFor } from './support/wait.js'
import { mountState, RPS, RPS_FILE, type World, waitForGuard, wayBackTest } from './support/way-back.js'

const run = promisify(execFile)
const OTHER_BOOT = '00000000-0000-4000-8000-000000000000'
/** Half of the ten knobs are set by then. */
const MIDDLE = { at: 8, steps: 'knobs' } as const

const editJournal = (state: string, edit: (entries: Entry[]) => Entry[]): void => {
  using folder = openStateFolder(state)
  writeJournal(folder, edit(readJournal(folder)))
}

const readLog = (state: string): Promise<string> => readFile(join(state, 'log'), 'utf8')

wayBackTest('after a reboot the journal knows that the kernel has forgotten', async world => {
  const { t, state } = world
  t.is((await world.taut(...RPS)).code, 0)
  const set = await world.settings()
  editJournal(state, entries => entries.map(entry => ({ ...entry, boot: OTHER_BOOT })))
  const [change] = JSON.parse((await world.taut('status', '--json')).stdout)
  t.is(change.state, 'undone')
  t.regex(change.note, /has booted since/)
  t.is((await world.taut('revert')).code, 0)
  t.is(await world.settings(), set, 'what has come since is not touched')
  t.is((await world.taut('status', '--json')).stdout, '[]\n')
})

wayBackTest(
  'what earlier boots had set is forgotten when taut sets something anew',
  async (world, before) => {
    const { t, state } = world
    t.is((await world.taut(...RPS)).code, 0)
    editJournal(state, entries => entries.map(entry => ({ ...entry, boot: OTHER_BOOT })))
    t.is((await world.taut('apply', '--set', 'net.xps=first', '--nic', 'wide', '--yes')).code, 0)
    const changes: { knob: string }[] = JSON.parse((await world.taut('status', '--json')).stdout)
    t.deepEqual(new Set(changes.map(({ knob }) => knob)), new Set(['net.xps']))
    t.is((await world.taut('revert', '--all')).code, 0)
    await world.sh('for f in /sys/class/net/wide/queues/rx-*/rps_cpus; do echo 0 >$f; done')
    t.is(await world.settings(), before)
  },
)

wayBackTest('the guard says in the log what it has put back', async (world, before) => {
  const { t, state } = world
  const { signal } = await world.broken({ way: 'kill', ...MIDDLE }, ...world.apply)
  t.is(signal, 'SIGKILL')
  await waitForGuard(world)
  t.is(await world.settings(), before)
  const log = await readLog(state)
  t.regex(log, /^\S+Z guard: taut is gone; put back nic\.offload\.gro, gro of wide: off$/m)
  t.regex(
    log,
    /^\S+Z guard: taut is gone; put back net\.threaded_napi, \/sys\/class\/net\/wide\/threaded: 0$/m,
  )
})

wayBackTest('the guard finds a folder that was named from where taut is', async (world, before) => {
  const { t, env } = world
  env.TAUT_STATE = relative(WORKPLACE, world.state)
  const { signal } = await world.broken({ way: 'kill', ...MIDDLE }, ...world.apply)
  t.is(signal, 'SIGKILL')
  await waitForGuard(world)
  t.is(await world.settings(), before)
  t.regex(await readLog(world.state), /guard: taut is gone; put back/)
})

wayBackTest('a taut whose guard is killed notices, and takes everything back', async (world, before) => {
  const { t } = world
  const { code, stderr, isStruck } = await world.broken({ way: 'kill-guard', ...MIDDLE }, ...world.apply)
  t.true(isStruck)
  t.is(code, 1)
  t.regex(stderr, /^taut: the guard is gone/)
  t.is(await world.settings(), before)
  t.is((await world.taut('status', '--json')).stdout, '[]\n')
})

wayBackTest('what taut fails to take back is the guard’s', async (world, before) => {
  const { t } = world
  const breaking = { way: 'EIO', afterwards: 'unreadable', ...MIDDLE } as const
  const { code, stderr } = await world.broken(breaking, ...world.apply)
  t.is(code, 1)
  t.regex(stderr, /still to be put back/)
  await waitForGuard(world)
  t.is(await world.settings(), before)
  t.is((await world.taut('status', '--json')).stdout, '[]\n')
})

wayBackTest('whoever reads taut may leave: what was begun is done', async (world, before) => {
  const { t, netns, env } = world
  const pipe = async (...args: string[]): Promise<string> => {
    const script = '"$0" "$@" 2>&1 | true; echo $PIPESTATUS'
    const options = { netns, env }
    const running = await startProcess(t, 'bash', ['-c', script, process.execPath, TAUT, ...args], options)
    return (await running.ended).stdout
  }
  t.is(await pipe(...world.apply), '0\n')
  t.is((await world.taut(...world.apply)).stdout, 'Nothing to change: all of it is so already.\n')
  t.is(await pipe('revert'), '0\n')
  t.is(await world.settings(), before)
})

wayBackTest('a disk that has become read-only: revert puts back all the same', async (world, before) => {
  const { t, state } = world
  await mountState(world, 'size=1m')
  t.is((await world.taut(...world.apply)).code, 0)
  await run('mount', ['-o', 'remount,ro', state])
  const { code, stderr } = await world.taut('revert')
  t.is(code, 1)
  t.regex(stderr, /^taut: what could be put back is back, but the journal can't be written: .*EROFS/)
  t.is(await world.settings(), before)
  const changes: { state: string }[] = JSON.parse((await world.taut('status', '--json')).stdout)
  t.true(changes.every(({ state }) => state === 'undone'))
  await run('mount', ['-o', 'remount,rw', state])
  t.is((await world.taut('revert', '--all')).code, 0)
  t.is((await world.taut('status', '--json')).stdout, '[]\n')
})

wayBackTest(
  'a folder that is there keeps its mode, and is refused where others may write to it',
  async (world, before) => {
    const { t, state } = world
    const mode = async (): Promise<number> => (await stat(state)).mode & 0o7777
    await mkdir(state)
    for (const safe of [0o755, 0o700]) {
      await chmod(state, safe)
      t.is((await world.taut(...RPS)).code, 0)
      t.is((await world.taut('revert')).code, 0)
      t.is(await mode(), safe)
    }
    for (const open of [0o1777, 0o775]) {
      await chmod(state, open)
      const { code, stderr } = await world.taut(...RPS)
      t.is(code, 1)
      t.regex(stderr, /others may write to .*try/s)
      t.is(await mode(), open)
    }
    t.is(await world.settings(), before)
  },
)

/** Some machines take CAP_SYS_RESOURCE (the 24th) away from root, too: there it is as anybody. */
const expectScore = async (): Promise<string> => {
  const capabilities = /^CapEff:\s*(\w+)$/m.exec(await readFile('/proc/self/status', 'latin1'))?.[1] ?? '0'
  const mayLower = (BigInt(`0x${capabilities}`) >> 24n) & 1n
  return mayLower === 1n ? '-900\n' : readFile('/proc/self/oom_score_adj', 'latin1')
}

wayBackTest(
  'two at once, with a folder each: the second is told whose turn it is, and the guard is the last to go',
  async (world, before) => {
    const { t, netns, state } = world
    const first = await world.startBroken({ way: 'stop', ...MIDDLE }, ...world.apply)
    await waitFor('taut to stop', async () =>
      (await listThreadStates(first.pid)).every(letter => letter === 'T') ? true : null,
    )
    // When memory runs out the kernel takes others before its guard.
    const scores = (await listChildren(first.pid)).map(pid =>
      readFile(`/proc/${pid}/oom_score_adj`, 'latin1'),
    )
    t.true((await Promise.all(scores)).includes(await expectScore()))
    for (const folder of [state, `${state}-of-another`]) {
      const options = { netns, env: { TAUT_STATE: folder } }
      for (const args of [RPS, ['revert', '--all']]) {
        const { code, stderr } = await runTaut(t, args, options)
        if (args[0] === 'revert' && folder !== state) continue
        t.is(code, 1)
        t.regex(stderr, new RegExp(`^taut: another taut \\(process ${first.pid}\\) is changing settings`))
      }
    }
    first.child.kill('SIGCONT')
    t.is((await first.ended).code, 0)
    t.is((await world.taut('revert')).code, 0)
    t.is(await world.settings(), before)
  },
)

wayBackTest('who has only the lock of the folder is named too', async (world, before) => {
  const { t, state } = world
  await mkdir(state, { mode: 0o700 })
  const script = 'exec 9>"$0/lock" && flock -n 9 && echo $$ >&9 && echo held && exec cat'
  const holder = await startProcess(t, 'sh', ['-c', script, state])
  await waitForOutput(holder, /held\n/)
  const { code, stderr } = await world.taut(...RPS)
  t.is(code, 1)
  t.regex(stderr, new RegExp(`^taut: another taut \\(process ${holder.pid}\\) is changing settings`))
  t.is(await world.settings(), before)
})

/** With a /run of its own, in which the lock is a link. */
const runWithLinkedLock = async ({ t, netns, env }: World, victim: string, ...args: string[]) => {
  const script = 'mount -t tmpfs none /run && ln -s "$0" /run/taut.lock && exec "$@"'
  const command = ['--mount', 'sh', '-c', script, victim, process.execPath, TAUT, ...args]
  return (await startProcess(t, 'unshare', command, { netns, env })).ended
}

wayBackTest(
  'links in the place of the folder, the lock or the log are not followed',
  async (world, before) => {
    const { t, state } = world
    const victim = join(dirname(state), 'victim')
    await writeFile(victim, 'mine')

    await mkdir(`${state}-elsewhere`, { mode: 0o700 })
    await symlink(`${state}-elsewhere`, state)
    t.is((await world.taut(...RPS)).code, 1)
    await rm(state)

    const linked = await runWithLinkedLock(world, victim, ...RPS)
    t.is(linked.code, 1)
    t.regex(linked.stderr, /taut\.lock is a link/)

    await rm(state, { recursive: true })
    await mkdir(state, { mode: 0o700 })
    await symlink(victim, join(state, 'lock'))
    const { code, stderr } = await world.taut(...RPS)
    t.is(code, 1)
    t.regex(stderr, /lock is a link/)
    await rm(join(state, 'lock'))

    await symlink(victim, join(state, 'log'))
    t.is((await world.broken({ way: 'kill', ...MIDDLE }, ...world.apply)).signal, 'SIGKILL')
    await waitForGuard(world)
    t.is(await world.settings(), before)
    t.is(await readFile(victim, 'utf8'), 'mine')
    t.is(await world.sh(`cat ${RPS_FILE}`), '0\n')
  },
)
