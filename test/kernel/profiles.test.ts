import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolder } from './support/folder.js'
import { type Context, kernelTest } from './support/kernel-test.js'
import { createMachine, type Irq, type Machine, printCoalescing } from './support/machine.js'
import { createNetnsPair, setNamespaceSysctl } from './support/netns.js'
import { startProcess } from './support/processes.js'
import { runTaut, TAUT } from './support/taut.js'

type Change = { knob: string; where: string; from: string; to: string; state: string; command: string }

/** What taut would set. */
const plan = async (t: Context, machine: Machine, ...args: string[]) => {
  const { code, stdout, stderr } = await machine.taut('apply', ...args, '--dry-run', '--json')
  t.is(code, 0, stderr)
  const changes: Change[] = JSON.parse(stdout)
  const find = (knob: string): [string, string][] =>
    changes.filter(change => change.knob === knob).map(({ where, to }) => [where, to])
  return { changes, find, stderr: stderr.replaceAll(/\s+/g, ' ') }
}

/** A service of one port, and the client of another that talks to it all the time if there is one. */
const startServices = (ports: readonly number[], busy?: number): string => `
  ${ports.map(port => `memcached -u nobody -l 127.0.0.1 -p ${port} -U 0 &`).join('\n')}
  for port in ${ports.join(' ')}; do until (: <>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do :; done; done
  ${
    busy === undefined
      ? ''
      : `exec 7<>/dev/tcp/127.0.0.1/${busy}
        (while printf 'version\\r\\n' >&7; do read -r <&7; done) >/dev/null 2>&1 &`
  }
`

const one = (effective: string, wanted = '0-3'): Irq[] => [{ irq: 50, name: 'eth0', wanted, effective }]

const SERVICES = startServices([11211])

for (const [title, irqs] of [
  ['on another CPU than it goes to', one('2')],
  ['that the kernel does not tell the CPU of', one('')],
  [
    'of four queues on all CPUs',
    [0, 1, 2, 3].map(queue => ({
      irq: 50 + queue,
      name: `eth0-TxRx-${queue}`,
      wanted: `${queue}`,
      effective: `${queue}`,
    })),
  ],
] as [string, Irq[]][]) {
  kernelTest(`isolated-irq, for an interrupt ${title}: the service gets the CPUs that it leaves`, async t => {
    const machine = await createMachine(t, { irqs, services: SERVICES })
    const { find, changes } = await plan(t, machine, 'isolated-irq')
    const moved = irqs.filter(({ wanted }) => wanted !== '0')
    t.deepEqual(
      find('irq.affinity'),
      moved.map(({ irq }) => [`/proc/irq/${irq}/smp_affinity_list`, '0']),
    )
    t.deepEqual(
      find('cpu.app_affinity').map(([, to]) => to),
      ['1-3'],
    )
    t.regex(changes.find(({ knob }) => knob === 'cpu.app_affinity')?.command ?? '', /^taskset -apc 1-3 \d+$/)
  })
}

kernelTest('the interrupts of a card are those of its queues, wherever that of its link goes', async t => {
  const irqs = [
    { irq: 50, name: 'eth0-config', wanted: '3', effective: '3' },
    { irq: 51, name: 'eth0-rx-0', wanted: '0', effective: '' },
  ]
  const machine = await createMachine(t, { irqs, services: SERVICES })
  const asked = ['--set', 'cpu.app_affinity=not-irq', '--port', '11211']
  const { find } = await plan(t, machine, ...asked)
  t.deepEqual(
    find('cpu.app_affinity').map(([, to]) => to),
    ['1-3'],
  )
})

kernelTest('what would leave the service or the interrupts no CPU is refused, with the reason', async t => {
  const irqs = [0, 1, 2, 3].map(queue => ({
    irq: 50 + queue,
    name: `eth0-rx-${queue}`,
    wanted: `${queue}`,
    effective: `${queue}`,
  }))
  const profile = `version: 1
name: lockout
about: The service keeps off the interrupts, which are everywhere.
settings:
  - knob: cpu.app_affinity
    value: not-irq
    service: 11211
    why: It must not be.
`
  const machine = await createMachine(t, { irqs, services: SERVICES, profiles: { 'lockout.yaml': profile } })
  for (const [args, code, complaint] of [
    [['--set', 'cpu.app_affinity=not-irq', '--port', '11211'], 2, "'not-irq' leaves no CPU"],
    [['lockout'], 3, "'not-irq' leaves no CPU"],
    [['--set', 'cpu.app_affinity=4', '--port', '11211'], 2, 'CPU 4 is not online (try among 0-3)'],
    [['--set', 'irq.affinity=7'], 2, 'CPU 7 is not online (try among 0-3)'],
    [['--set', 'net.rps=2-9'], 2, 'CPU 4-9 is not online (try among 0-3)'],
    [['--set', 'cpu.governor=performance', '--cpus', '9'], 2, 'CPU 9 is not online (try among 0-3)'],
  ] as const) {
    for (const last of [['--yes'], ['--dry-run']]) {
      const ending = await machine.taut('apply', ...args, ...last)
      t.is(ending.code, code, ending.stderr)
      t.true(ending.stderr.includes(complaint), ending.stderr)
      t.is(ending.stdout, '')
    }
  }
})

const PI = { model: 'Raspberry Pi 5 Model B Rev 1.0', irqs: one(''), hasBtf: false }

kernelTest(
  'the profile of a board without BTF: the service that has traffic is found without probes',
  async t => {
    const machine = await createMachine(t, { ...PI, services: startServices([11211, 11212], 11212) })
    const { find, stderr } = await plan(t, machine, 'raspberry-pi-5')
    t.regex(stderr, /chose memcached 11212, the service with the most traffic/)
    t.is(find('cpu.app_affinity').length, 1)
    t.deepEqual(find('net.rps'), [['/sys/class/net/eth0/queues/rx-0/rps_cpus', 'e']])
    t.deepEqual(find('irq.affinity'), [['/proc/irq/50/smp_affinity_list', '0']])
  },
)

kernelTest('where one service listens nothing is measured', async t => {
  const machine = await createMachine(t, { ...PI, services: startServices([11211]) })
  const { find, stderr } = await plan(t, machine, 'raspberry-pi-5')
  t.regex(stderr, /chose memcached 11211, the only service/)
  t.is(find('cpu.app_affinity').length, 1)
})

for (const [title, services, complaint] of [
  [
    'an idle machine',
    startServices([11211, 11212]),
    /leaving out cpu\.app_affinity: no service has traffic to choose one by \(try --port with one of: memcached 11211, memcached 11212\)/,
  ],
  ['a machine without services', '', /leaving out cpu\.app_affinity: nothing listens on any TCP port/],
] as const) {
  for (const hasBtf of [true, false]) {
    kernelTest(`${title}, ${hasBtf ? 'with' : 'without'} BTF, is left out and the rest set`, async t => {
      const machine = await createMachine(t, { ...PI, hasBtf, services })
      const { find, stderr } = await plan(t, machine, 'raspberry-pi-5')
      t.regex(stderr, complaint)
      t.deepEqual(find('cpu.app_affinity'), [])
      t.is(find('net.rps').length, 1)
      t.is(find('irq.affinity').length, 1)
    })
  }
}

kernelTest('a port that was asked for, and that nobody listens on, is no matter to leave out', async t => {
  const machine = await createMachine(t, { ...PI, services: startServices([11211]) })
  const { code, stderr } = await machine.taut('apply', 'raspberry-pi-5', '--port', '1', '--dry-run')
  t.is(code, 1)
  t.regex(stderr, /^taut: nothing listens on port 1;/m)
})

const createPolicies = (governors: string, files: Record<string, string> = {}) =>
  [0, 1, 2, 3].map(cpu => ({
    cpu,
    files: {
      scaling_available_governors: governors,
      scaling_governor: 'schedutil',
      ...files,
    },
  }))

kernelTest('a governor that the machine does not offer is left out of a profile, and named', async t => {
  const machine = await createMachine(t, { policies: createPolicies('ondemand schedutil performance') })
  const { find, stderr } = await plan(t, machine, 'energy-saver')
  t.regex(
    stderr,
    /leaving out cpu\.governor: 'powersave' is not offered here \(try ondemand, schedutil, performance\)/,
  )
  t.deepEqual(find('cpu.governor'), [])
  const alone = await machine.taut('apply', '--set', 'cpu.governor=powersave', '--dry-run')
  t.is(alone.code, 3, alone.stderr)
  const wrong = await machine.taut('apply', '--set', 'cpu.governor=fastest', '--dry-run')
  t.is(wrong.code, 2, wrong.stderr)
})

kernelTest('a preference is set once, before the governor, and back after it', async t => {
  const policies = createPolicies('performance powersave', {
    scaling_driver: 'intel_pstate',
    scaling_governor: 'powersave',
    energy_performance_preference: 'balance_performance',
    energy_performance_available_preferences: 'default performance balance_performance power',
  })
  const machine = await createMachine(t, { policies })
  for (const args of [['low-latency'], ['--set', 'cpu.governor=performance']]) {
    const { changes } = await plan(t, machine, ...args)
    const files = changes.flatMap(({ where }) => /policy2\/(.*)$/.exec(where)?.[1] ?? [])
    t.deepEqual(files, ['energy_performance_preference', 'scaling_governor'])
  }
})

kernelTest(
  'a setting of CPUs is for those that its profile selects, not-irq after what it moves',
  async t => {
    const profile = `version: 1
name: away
about: The CPUs without interrupts are fast.
settings:
  - knob: irq.affinity
    value: 3
    why: One is enough.
  - knob: cpu.governor
    value: performance
    cpus: not-irq
    why: The service is there.
`
    const machine = await createMachine(t, {
      irqs: one('0'),
      policies: createPolicies('schedutil performance'),
      profiles: { 'away.yaml': profile },
    })
    const { find } = await plan(t, machine, 'away')
    t.deepEqual(
      find('cpu.governor'),
      [0, 1, 2].map(cpu => [`/sys/devices/system/cpu/cpufreq/policy${cpu}/scaling_governor`, 'performance']),
    )
  },
)

kernelTest('each setting is planned for the machine as those before it leave it', async t => {
  const machine = await createMachine(t, {})
  const rps = async (...values: string[]): Promise<string[][]> => {
    const asked = values.flatMap(value => ['--set', `net.rps=${value}`])
    const { code, stdout, stderr } = await machine.taut('apply', ...asked, '--dry-run', '--json')
    t.is(code, 0, stderr)
    const changes: { where: string; from: string; to: string }[] = JSON.parse(stdout)
    return changes.filter(({ where }) => where.endsWith('rx-0/rps_cpus')).map(({ from, to }) => [from, to])
  }
  const [[none = '', zero = ''] = []] = await rps('0')
  t.deepEqual(await rps('0', 'none'), [
    [none, zero],
    [zero, '0'],
  ])
  t.deepEqual(await rps('0', '0'), [[none, zero]])
  t.deepEqual(await rps('0', 'none', '0'), [
    [none, zero],
    [zero, '0'],
    ['0', zero],
  ])
})

kernelTest('what the kernel takes and ignores is reported as that, and the rest is set', async t => {
  const machine = await createMachine(t, { coalescing: printCoalescing(50, 'n/a') })
  const rps = join(machine.folder, 'class/net/eth0/queues/rx-0/rps_cpus')
  const asked = ['--set', 'nic.coalesce=adaptive-rx=off', '--set', 'net.rps=all']
  const { code, stdout, stderr } = await machine.taut('apply', ...asked, '--yes', '--json')
  t.is(code, 0, stderr)
  t.deepEqual(
    JSON.parse(stdout).map(({ now, state, note }: { [name: string]: string }) => [now, state, note]),
    [
      ['on', 'no-effect', 'accepted by the kernel, no effect seen: adaptive-rx of eth0 still is on'],
      ['f', 'written', 'it reads back; no packet came by eth0 meanwhile'],
    ],
  )
  t.is(await readFile(rps, 'utf8'), 'f\n')
  const reverted = await machine.taut('revert')
  t.is(reverted.code, 0, reverted.stderr)
  t.is(await readFile(rps, 'utf8'), '0\n')
})

for (const [title, khz, governor, state] of [
  ['a measured frequency near the limit', 1_160_000, 'performance', 'verified'],
  ['a frequency above the limit, by turbo', 1_400_000, 'performance', 'verified'],
  ['a frequency that stays low', 620_000, 'performance', 'no-effect'],
  ['a measured frequency near the lowest', 640_000, 'powersave', 'verified'],
  ['a frequency that stays high', 1_200_000, 'powersave', 'no-effect'],
  ['a governor that goes by the load', 620_000, 'schedutil', 'written'],
  ['a frequency that nothing tells', null, 'performance', 'written'],
] as const) {
  kernelTest(`cpu.governor, ${title}: ${state}`, async t => {
    const policies = createPolicies('ondemand schedutil performance powersave', {
      scaling_governor: 'ondemand',
      cpuinfo_min_freq: '600000',
      scaling_min_freq: '600000',
      scaling_max_freq: '1200000',
      scaling_cur_freq: khz === null ? '<unknown>' : String(khz),
    })
    const machine = await createMachine(t, { policies })
    const asked = ['--set', `cpu.governor=${governor}`, '--cpus', '0']
    const { code, stdout, stderr } = await machine.taut('apply', ...asked, '--yes', '--json')
    t.is(code, 0, stderr)
    const [change] = JSON.parse(stdout)
    t.is(change.state, state, change.note)
    if (state === 'no-effect')
      t.is(change.note, `accepted by the kernel, no effect seen: the frequency is ${khz} kHz`)
  })
}

for (const [title, from, to, khz, state] of [
  ['a measured frequency at the new lowest', 600_000, 900_000, 880_000, 'verified'],
  ['a frequency that stays below', 600_000, 900_000, 620_000, 'no-effect'],
  ['one that is lowered', 900_000, 600_000, 900_000, 'written'],
] as const) {
  kernelTest(`cpu.min_freq, ${title}: ${state}`, async t => {
    const policies = createPolicies('schedutil', {
      cpuinfo_min_freq: '600000',
      scaling_min_freq: String(from),
      scaling_max_freq: '1200000',
      scaling_cur_freq: String(khz),
    })
    const machine = await createMachine(t, { policies })
    const asked = ['--set', `cpu.min_freq=${to}`, '--cpus', '0']
    const { code, stdout, stderr } = await machine.taut('apply', ...asked, '--yes', '--json')
    t.is(code, 0, stderr)
    const [change] = JSON.parse(stdout)
    t.is(change.state, state, change.note)
  })
}

kernelTest('net.rps is verified when packets are handed over, and written while none come', async t => {
  const { server, client, ipv4 } = await createNetnsPair(t)
  // IPv6 sends of its own accord.
  for (const netns of [server, client]) await setNamespaceSysctl(netns, 'net.ipv6.conf.all.disable_ipv6', '1')
  const state = join(await createFolder(t), 'state')
  const tell = async (...args: string[]) => {
    const { code, stdout, stderr } = await runTaut(t, [...args, '--json'], {
      netns: server,
      env: { TAUT_STATE: state },
    })
    t.is(code, 0, stderr)
    return JSON.parse(stdout)
  }
  const apply = ['apply', '--set', 'net.rps=1', '--nic', 'wire', '--yes']
  const [quiet] = await tell(...apply)
  t.deepEqual([quiet.state, quiet.note], ['written', 'it reads back; no packet came by wire meanwhile'])
  await tell('revert')
  // A packet arrives on the CPU that sends it.
  const send = `while :; do echo >/dev/udp/${ipv4}/9; read -rt 0.01; done 2>/dev/null`
  await startProcess(t, 'bash', ['-c', send], { netns: client, cpu: 0 })
  const [busy] = await tell(...apply)
  t.deepEqual([busy.state, busy.note], ['verified', 'CPU 1 takes packets over'])
  await tell('revert')
})

kernelTest("an irqbalance that can't be told to leave interrupts alone is warned of", async t => {
  const services = `cp /bin/sleep $MACHINE/irqbalance; $MACHINE/irqbalance 1000 & until [ "$(cat /proc/$!/comm)" = irqbalance ]; do :; done`
  const machine = await createMachine(t, { irqs: one('2'), services })
  const asked = ['--set', 'irq.affinity=0']
  t.regex(
    (await plan(t, machine, ...asked)).stderr,
    /irq\.affinity: irqbalance \(\d+\) runs and can't be told/,
  )
  const quiet = await createMachine(t, { irqs: one('2') })
  t.is((await plan(t, quiet, ...asked)).stderr, '')
})

kernelTest('a dry run tells each command, and that of the threads which are still to come', async t => {
  const machine = await createMachine(t)
  const asked = ['--set', 'net.threaded_napi=1-2', '--set', 'net.rps=all']
  const { changes } = await plan(t, machine, ...asked)
  t.deepEqual(
    changes.map(({ state, command }) => [state, command]),
    [
      ['planned', 'echo 1 > /sys/class/net/eth0/threaded'],
      ['planned', "for pid in $(pgrep '^napi/eth0-'); do taskset -pc 1-2 $pid; done"],
      ['planned', 'echo f > /sys/class/net/eth0/queues/rx-0/rps_cpus'],
    ],
  )
  const { stdout } = await machine.taut('apply', ...asked, '--dry-run')
  for (const { command } of changes) t.true(stdout.includes(`  ${command}\n`), stdout)
})

kernelTest('nothing is changed where there is nobody to ask', async t => {
  const machine = await createMachine(t)
  for (const last of [[], ['--json']]) {
    const { code, stderr } = await machine.taut('apply', '--set', 'net.rps=all', ...last)
    t.is(code, 2)
    t.regex(stderr, /^taut: nothing was changed: there is nobody to ask \(try --yes\)/m)
  }
  t.is(await readFile(join(machine.folder, 'class/net/eth0/queues/rx-0/rps_cpus'), 'utf8'), '0\n')
  t.is((await machine.taut('status', '--json')).stdout, '[]\n')
})

kernelTest('taut profiles: a bad file is named, and the rest is listed, shown and checked', async t => {
  const machine = await createMachine(t, {
    model: 'Raspberry Pi 4 Model B',
    profiles: { 'broken.yaml': 'version: 1\nname: broken\n', 'worse.yaml': '\u001b[31m: [' },
  })
  const listed = await machine.taut('profiles', 'list', '--json')
  t.is(listed.code, 0, listed.stderr)
  const profiles: {
    name: string
    about: string | null
    fits: boolean
    unmet: string[]
    problems: string[]
  }[] = JSON.parse(listed.stdout)
  const find = (name: string) => profiles.find(profile => profile.name === name)
  t.true(find('raspberry-pi-4')?.fits)
  t.deepEqual(find('raspberry-pi-5')?.unmet, ['it is for Raspberry Pi 5, and this is Raspberry Pi 4 Model B'])
  t.like(find('broken'), { about: null, fits: false })
  t.regex(find('broken')?.problems.join('\n') ?? '', /broken\.yaml:1: about is missing/)
  const { stdout } = await machine.taut('profiles')
  t.regex(stdout, /^broken\n {2}no valid profile: /m)
  t.regex(stdout, /^steering\n {2}Network stack scaling/m)
  t.false(stdout.includes('\u001b'))

  const shown = await machine.taut('profiles', 'show', 'isolated-irq')
  t.is(shown.code, 0)
  t.regex(shown.stdout, /^cpu\.app_affinity: not-irq service busiest$/m)
  t.is(
    JSON.parse((await machine.taut('profiles', 'show', 'isolated-irq', '--json')).stdout).name,
    'isolated-irq',
  )
  const missing = await machine.taut('profiles', 'show', 'none')
  t.is(missing.code, 1)
  t.regex(missing.stderr, /^taut: there is no profile none \(try broken, energy-saver, /)

  const good = join(machine.folder, 'profiles/steering.yaml')
  const bad = join(machine.folder, 'profiles/broken.yaml')
  const checked = await machine.taut('profiles', 'check', good, bad)
  t.is(checked.code, 1)
  t.true(checked.stdout.includes(`${good}: valid\n`))
  t.regex(checked.stdout, /broken\.yaml:1: settings is missing/)
  t.is((await machine.taut('profiles', 'check', good)).code, 0)
})

kernelTest(
  'where /sys shows the devices of another network namespace nothing is changed',
  async t => {
    const { server, client } = await createNetnsPair(t)
    const state = join(await createFolder(t), 'state')
    const enter = async (from: string | undefined, ...args: string[]) => {
      const command = ['nsenter', `--net=/run/netns/${server}`, process.execPath, TAUT, ...args]
      const options = { netns: from, env: { TAUT_STATE: state } }
      return (await startProcess(t, command[0] ?? '', command.slice(1), options)).ended
    }
    const apply = ['apply', '--set', 'net.rps=all', '--nic', 'wire']
    // Those of the machine, and those of another namespace, of the same names.
    for (const from of [undefined, client]) {
      for (const args of [
        [...apply, '--yes'],
        [...apply, '--dry-run'],
      ]) {
        const { code, stdout, stderr } = await enter(from, ...args)
        t.is(code, 3, stderr)
        t.regex(stderr, /^taut: nothing was changed: .*another network namespace.*ip netns exec NAME taut/)
        t.is(stdout, '')
      }
    }
    const own = await enter(server, ...apply, '--dry-run')
    t.is(own.code, 0, own.stderr)
  },
  'nsenter',
)
