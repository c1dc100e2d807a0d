import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kernelTest } from './support/kernel-test.js'
import { createMachine, printCoalescing } from './support/machine.js'

kernelTest('nic.coalesce: adaptive modes first, and never a packet that does not interrupt', async t => {
  const machine = await createMachine(t, { coalescing: printCoalescing(50, 'n/a') })
  for (const [frames, commands] of [
    ['n/a', ['adaptive-rx off', 'rx-usecs 0']],
    [0, ['adaptive-rx off', 'rx-frames 1', 'rx-usecs 0']],
    [25, ['adaptive-rx off', 'rx-frames 1', 'rx-usecs 0']],
  ] as const) {
    await writeFile(join(machine.folder, 'coalescing'), printCoalescing(50, frames))
    const { stdout, stderr } = await machine.taut('apply', 'low-latency', '--dry-run', '--json')
    t.notRegex(stderr, /nic\.coalesce/)
    const changes: { knob: string; command: string }[] = JSON.parse(stdout)
    t.deepEqual(
      changes.filter(({ knob }) => knob === 'nic.coalesce').map(({ command }) => command),
      commands.map(command => `ethtool -C eth0 ${command}`),
    )
  }
  const set = (value: string) => machine.taut('apply', '--set', `nic.coalesce=${value}`, '--dry-run')
  const alone = await set('rx-usecs=0')
  t.is(alone.code, 3)
  t.regex(alone.stderr.replaceAll(/\s+/g, ' '), /rx-usecs of 0 with rx-frames of 25 on eth0.*\(try/)
  for (const frames of [0, 10000]) {
    const { code, stderr } = await set(`rx-usecs=0,rx-frames=${frames}`)
    t.is(code, 2)
    t.regex(stderr.replaceAll(/\s+/g, ' '), /may mean no interrupt for a single packet/)
  }
  // One that begins like that does interrupt.
  await writeFile(join(machine.folder, 'coalescing'), printCoalescing(0, 25))
  t.is((await set('rx-usecs=0')).code, 0)
})

kernelTest(
  'nic.coalesce: a card is never left, on the way there or back, so that a single packet may not interrupt',
  async t => {
    const machine = await createMachine(t, { coalescing: printCoalescing(50, 'n/a') })
    const [card, takes] = ['coalescing', 'takes'].map(name => join(machine.folder, name))
    if (card === undefined || takes === undefined) throw new Error('no files')
    const set = (...values: string[]) =>
      machine.taut('apply', ...values.flatMap(value => ['--set', `nic.coalesce=${value}`]), '--yes')
    const isDeaf = (state: string): boolean => /^0,(?!1 )/.test(state)
    for (const [usecs, frames] of [
      [0, 1],
      [10, 8],
      [50, 1],
    ] as const) {
      for (const to of ['rx-frames=1,rx-usecs=0', 'rx-frames=8,rx-usecs=20', 'rx-usecs=20,rx-frames=8']) {
        const before = printCoalescing(usecs, frames)
        await writeFile(card, before)
        await writeFile(takes, '')
        t.is((await set(to)).code, 0)
        t.is((await machine.taut('revert')).code, 0)
        t.is(await readFile(card, 'utf8'), before)
        const states = (await readFile(takes, 'utf8')).trim().split('\n')
        t.false(states.some(isDeaf), `${usecs},${frames} to ${to}: ${states.join(' ')}`)
      }
    }
    // By what a setting before makes of the card.
    await writeFile(card, printCoalescing(10, 1))
    t.is((await set('rx-frames=8', 'rx-usecs=0')).code, 3)
    await writeFile(card, printCoalescing(50, 25))
    await writeFile(takes, '')
    t.is((await set('rx-frames=1')).code, 0)
    t.is((await set('rx-usecs=0')).code, 0)
    // What was before the first alone does not go with the second.
    const alone = await machine.taut('revert', '1')
    t.is(alone.code, 1)
    t.regex(
      alone.stdout.replaceAll(/\s+/g, ' '),
      /with rx-usecs of eth0 of change 2 a single packet might not interrupt \(try: taut revert 2\)/,
    )
    t.is((await machine.taut('revert', '--all')).code, 0)
    t.is(await readFile(card, 'utf8'), printCoalescing(50, 25))
    t.false((await readFile(takes, 'utf8')).split('\n').some(isDeaf))
    // While it adapts, what it would have else is not in force.
    await writeFile(card, printCoalescing(0, 25))
    t.is((await set('adaptive-rx=off')).code, 3)
    await writeFile(takes, '')
    t.is((await set('adaptive-rx=off,rx-frames=1,rx-usecs=0')).code, 0)
    t.is((await machine.taut('revert')).code, 0)
    t.is(await readFile(card, 'utf8'), printCoalescing(0, 25))
    t.regex(await readFile(takes, 'utf8'), /^0,1 on\n0,1 off\n0,1 on\n0,25 on\n$/)
    // A driver that takes a number of packets and keeps its own: no time at all would be too little.
    await writeFile(card, printCoalescing(50, 25))
    await rm(takes)
    const ignored = await set('rx-frames=1,rx-usecs=0')
    t.is(ignored.code, 1)
    t.regex(
      ignored.stderr.replaceAll(/\s+/g, ' '),
      /cannot set nic\.coalesce to 0 .*a single packet might not interrupt; everything is as it was/,
    )
  },
)
