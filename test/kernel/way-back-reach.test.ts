import { execFile } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createFolder } from './support/folder.js'
import { kernelTest } from './support/kernel-test.js'
import { startProcess } from './support/processes.js'
import { runTaut, TAUT } from './support/taut.js'
import { openTerminal } from './support/terminal.js'
import { RPS, RPS_FILE, wayBackTest } from './support/way-back.js'

const run = promisify(execFile)
const BUSY_POLL = '/proc/sys/net/core/busy_poll'
const THP = '/sys/kernel/mm/transparent_hugepage/enabled'
const WIDE = 'link add wide numtxqueues 2 numrxqueues 2 type veth peer name far numtxqueues 2 numrxqueues 2'

wayBackTest('what only the first network namespace shows is not forgotten in another one', async world => {
  const { t, state } = world
  const before = await readFile(BUSY_POLL, 'latin1')
  const to = before === '50\n' ? '60' : '50'
  const env = { TAUT_STATE: state }
  t.is((await runTaut(t, ['apply', '--set', `net.busy_poll=${to}`, '--yes'], { env })).code, 0)
  const elsewhere = await world.taut('revert', '--all', '--json')
  t.is(elsewhere.code, 1)
  t.regex(JSON.parse(elsewhere.stdout)[0].note, /another network namespace/)
  t.is(await readFile(BUSY_POLL, 'latin1'), `${to}\n`)
  t.is((await runTaut(t, ['revert', '--all'], { env })).code, 0)
  t.is(await readFile(BUSY_POLL, 'latin1'), before)
})

wayBackTest(
  'a network device with another name is found, and one with its name left alone',
  async (world, before) => {
    const { t, netns } = world
    const ip = (command: string) => run('ip', ['-n', netns, ...command.split(' ')])
    const rename = async (from: string, to: string): Promise<void> => {
      await ip(`link set dev ${from} down`)
      await ip(`link set dev ${from} name ${to}`)
      await ip(`link set dev ${to} up`)
    }
    t.is((await world.taut(...RPS)).code, 0)
    const set = await world.sh(`cat ${RPS_FILE}`)
    await rename('wide', 'ample')
    await rename('far', 'wide')
    await world.sh(`echo ${set.trim()} >${RPS_FILE}`)
    t.is((await world.taut('revert')).code, 0)
    t.is(await world.sh(`cat ${RPS_FILE}`), set)
    await world.sh(`echo 0 >${RPS_FILE}`)
    await rename('wide', 'far')
    await rename('ample', 'wide')
    t.is(await world.settings(), before)
  },
)

wayBackTest('with a network device its changes are over, whoever has its name next', async world => {
  const { t, netns } = world
  t.is((await world.taut(...RPS)).code, 0)
  const set = await world.sh(`cat ${RPS_FILE}`)
  await run('ip', ['-n', netns, 'link', 'delete', 'wide'])
  await run('ip', ['-n', netns, ...WIDE.split(' ')])
  await world.sh(`echo ${set.trim()} >${RPS_FILE}`)
  const [change] = JSON.parse((await world.taut('status', '--json')).stdout)
  t.is(change.note, 'its network device is gone')
  t.is((await world.taut('revert')).code, 0)
  t.is(await world.sh(`cat ${RPS_FILE}`), set)
  t.is((await world.taut('status', '--json')).stdout, '[]\n')
})

wayBackTest('what can’t be read now is not forgotten, and put back when it can', async (world, before) => {
  const { t, env } = world
  t.is((await world.taut('apply', '--set', 'nic.offload.gro=on', '--nic', 'wide', '--yes')).code, 0)
  const set = await world.settings()
  const folder = await createFolder(t)
  await writeFile(join(folder, 'ethtool'), '#!/bin/sh\necho "netlink error: Out of memory" >&2\nexit 1\n')
  await chmod(join(folder, 'ethtool'), 0o755)
  env.PATH = `${folder}:${process.env.PATH}`
  const unreadable = await world.taut('revert', '--json')
  t.is(unreadable.code, 1)
  t.regex(JSON.parse(unreadable.stdout)[0].note, /can't be read now: .*Out of memory/)
  t.is((await world.taut('status')).code, 0)
  env.PATH = process.env.PATH ?? ''
  t.is(await world.settings(), set)
  t.is((await world.taut('revert')).code, 0)
  t.is(await world.settings(), before)
})

wayBackTest(
  'devices of another namespace, which /sys shows, are not taken for one’s own',
  async (world, before) => {
    const { t, netns, env } = world
    t.is((await world.taut(...RPS)).code, 0)
    const set = await world.settings()
    // Enters the network and leaves /sys as it is.
    const command = [`--net=/run/netns/${netns}`, process.execPath, TAUT, 'revert', '--all', '--json']
    const { code, stdout } = await (await startProcess(t, 'nsenter', command, { env })).ended
    t.is(code, 1)
    t.regex(JSON.parse(stdout)[0].note, /\/sys is of another network namespace/)
    t.is(await world.settings(), set)
    t.is((await world.taut('revert')).code, 0)
    t.is(await world.settings(), before)
  },
)

kernelTest(
  'someone else’s hand while taut asks whether to do it: nothing is changed',
  async t => {
    const read = () => readFile(THP, 'latin1')
    const before = /\[(\w+)\]/.exec(await read())?.[1] ?? ''
    const [to = '', other = ''] = ['never', 'madvise', 'always'].filter(word => word !== before)
    t.teardown(() => writeFile(THP, before))
    const env = { TAUT_STATE: join(await createFolder(t), 'state') }
    const terminal = await openTerminal(t, { columns: 200, rows: 30, env }, 'apply', '--set', `vm.thp=${to}`)
    await terminal.waitForScreen(/Do it\?/)
    await writeFile(THP, other)
    await terminal.press('y')
    await terminal.press('Enter')
    await terminal.waitForScreen(
      new RegExp(`was ${before} when this was planned, and\\s+is\\s+${other}\\s+now: someone else`),
    )
    t.is((await terminal.waitForEnd()).code, 1)
    t.true((await read()).includes(`[${other}]`))
    t.is((await runTaut(t, ['status', '--json'], { env })).stdout, '[]\n')
  },
  'tmux',
)
