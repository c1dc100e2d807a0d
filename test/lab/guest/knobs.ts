import { execFile } from 'node:child_process'
import { mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import test from 'ava'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { startProcess } from '../../kernel/support/processes.js'
import { startMemcached } from '../../kernel/support/services.js'
import { waitFor } from '../../kernel/support/wait.js'
import { type Change, NIC, prepareCard, read, startTraffic, takeAll, taut, tryOut } from './settings.js'

/** Runs in the machine, behind an e1000e card, with frequencies from an ACPI table. */
const run = promisify(execFile)

test.before('gives the card its address', prepareCard)

/** Sets knobs, looks at them with `check`, and puts them back. */
const tryKnobs = (
  t: Context,
  settings: readonly string[],
  check: (changes: Change[]) => Promise<void>,
  ...selectors: string[]
): Promise<void> => tryOut(t, [...settings.flatMap(text => ['--set', text]), ...selectors], check)

/** How often each CPU has handled the card's interrupt for what it receives. */
const countInterrupts = async (): Promise<number[]> => {
  const line = new RegExp(`^ *\\d+:((?: +\\d+)+) .*${NIC}-rx-0$`, 'm').exec(await read('/proc/interrupts'))
  return line?.[1]?.trim().split(/ +/).map(Number) ?? []
}

kernelTest('irq.affinity: the interrupts come to the new CPU, by the count of the kernel', async t => {
  await startTraffic(t, 0)
  for (const cpu of [1, 0]) {
    await tryKnobs(t, [`irq.affinity=${cpu}`], async changes => {
      t.true(changes.length > 0)
      t.true(changes.every(({ state }) => state === 'verified'))
      t.true(changes.some(({ note }) => note.includes(`comes to CPU ${cpu}`)))
      const before = await countInterrupts()
      await waitFor('interrupts', async () => {
        const now = await countInterrupts()
        return (now[cpu] ?? 0) > (before[cpu] ?? 0) + 5 ? true : null
      })
      const other = 1 - cpu
      t.true(((await countInterrupts())[other] ?? 0) - (before[other] ?? 0) <= 1)
    })
  }
})

kernelTest(
  'irq.affinity: irqbalance leaves alone what was moved, and what was put back no longer',
  async t => {
    await startTraffic(t, 0)
    await mkdir('/run/irqbalance', { recursive: true })
    const irqbalance = await startProcess(t, 'irqbalance', ['--foreground', '--debug', '--interval=1'])
    const rounds = (): number => irqbalance.stdout().split('---------').length
    const waitForRounds = async (count: number): Promise<void> => {
      const before = rounds()
      await waitFor('irqbalance to go on', () => (rounds() >= before + count ? true : null))
    }
    await waitForRounds(2)
    const changes = await taut(t, 'apply', '--set', 'irq.affinity=1', '--nic', NIC, '--yes')
    t.log(changes.map(({ where, to, note }) => `${where} ${to}: ${note}`).join('\n'))
    // It may have put some of them there before.
    t.true(changes.some(({ where }) => where.endsWith('smp_affinity_list')))
    const banned = changes.flatMap(({ where }) => /^interrupt (\d+) in irqbalance$/.exec(where)?.[1] ?? [])
    t.is(banned.length, 2)
    await waitForRounds(5)
    const listPlaces = () => Promise.all(banned.map(irq => read(`/proc/irq/${irq}/smp_affinity_list`)))
    // It looks for the best CPU of each interrupt anew.
    const balanceAnew = async (): Promise<void> => {
      irqbalance.child.kill('SIGHUP')
      await waitForRounds(5)
    }
    await balanceAnew()
    t.deepEqual(await listPlaces(), ['1', '1'])
    await taut(t, 'revert')
    t.deepEqual(await taut(t, 'status'), [])

    // That it leaves them where they were put is by the ban: without one it does not.
    for (const irq of banned) await writeFile(`/proc/irq/${irq}/smp_affinity_list`, '1')
    await waitFor('irqbalance to move one', async () => {
      await balanceAnew()
      return (await listPlaces()).some(cpus => cpus !== '1') ? true : null
    })
  },
)

kernelTest('net.rps and net.rfs: other CPUs take packets over', async t => {
  await startTraffic(t, 0)
  await taut(t, 'apply', '--set', 'irq.affinity=0', '--nic', NIC, '--yes')
  await tryKnobs(t, ['net.rps=1', 'net.rfs=4096'], async changes => {
    const rps = changes.find(({ knob }) => knob === 'net.rps')
    t.is(rps?.state, 'verified')
    t.regex(rps?.note ?? '', /CPU 1 takes packets over/)
    t.is(await read('/proc/sys/net/core/rps_sock_flow_entries'), '4096')
    t.is(await read(`/sys/class/net/${NIC}/queues/rx-0/rps_flow_cnt`), '4096')
  })
  await taut(t, 'revert', '--all')
})

kernelTest(
  'net.threaded_napi: threads of the kernel take the packets, on the CPU they were given',
  async t => {
    await startTraffic(t, 0)
    await tryKnobs(t, ['net.threaded_napi=1'], async changes => {
      t.true(changes.every(({ state }) => state === 'verified'))
      const { stdout } = await run('pgrep', ['-f', `napi/${NIC}`]).catch(() => run('pgrep', [`napi/${NIC}`]))
      const pids = stdout.trim().split('\n')
      t.true(pids.length > 0)
      for (const pid of pids) t.regex((await run('taskset', ['-pc', pid])).stdout, /: 1$/m)
    })
  },
)

/** What was seen of each knob. */
const statesOf = (changes: readonly Change[]): Record<string, string> =>
  Object.fromEntries(changes.map(({ knob, state }) => [knob, state]))

kernelTest('nic.coalesce, deferral and offload, by ethtool', async t => {
  const settings = [
    'nic.coalesce=rx-usecs=50',
    'nic.offload.gro=off',
    'net.gro_flush_timeout=20000',
    'net.napi_defer_hard_irqs=10',
  ]
  await tryKnobs(t, settings, async changes => {
    t.deepEqual(statesOf(changes), {
      'nic.coalesce': 'written',
      'nic.offload.gro': 'verified',
      'net.gro_flush_timeout': 'written',
      'net.napi_defer_hard_irqs': 'written',
    })
    t.regex((await run('ethtool', ['-c', NIC])).stdout, /^rx-usecs:\s*50$/m)
    t.regex((await run('ethtool', ['-k', NIC])).stdout, /^generic-receive-offload: off/m)
  })
})

const POLICY = '/sys/devices/system/cpu/cpufreq/policy0'

kernelTest('frequencies follow the governor, and the lowest one', async t => {
  // Where the machine begins, the governors below are new.
  for (const cpu of [0, 1])
    await writeFile(`/sys/devices/system/cpu/cpufreq/policy${cpu}/scaling_governor`, 'ondemand')
  for (const [governor, limit] of [
    ['performance', 'scaling_max_freq'],
    ['powersave', 'scaling_min_freq'],
  ] as const) {
    await tryKnobs(t, [`cpu.governor=${governor}`], async changes => {
      t.deepEqual(
        changes.map(({ state, note }) => [state, note]),
        await Promise.all(
          [0, 1].map(async cpu => [
            'verified',
            `the frequency is ${await read(`/sys/devices/system/cpu/cpufreq/policy${cpu}/${limit}`)} kHz`,
          ]),
        ),
      )
    })
  }
  const settings = ['cpu.governor=powersave', 'cpu.min_freq=900000']
  await tryKnobs(
    t,
    settings,
    async changes => {
      t.deepEqual(statesOf(changes), { 'cpu.governor': 'verified', 'cpu.min_freq': 'verified' })
      t.is(await read(`${POLICY}/scaling_min_freq`), '900000')
      t.is(await read(`${POLICY}/scaling_cur_freq`), '900000')
    },
    '--cpus',
    '0',
  )
})

kernelTest('a governor that the frequency does not follow is reported as without effect', async t => {
  const folder = await realpath(POLICY)
  await writeFile(`${folder}/scaling_governor`, 'powersave')
  // A clock that stays where it is.
  await writeFile('/run/stuck', '600000\n')
  await run('mount', ['--bind', '/run/stuck', `${folder}/scaling_cur_freq`])
  t.teardown(() => run('umount', [`${folder}/scaling_cur_freq`]))
  await tryKnobs(
    t,
    ['cpu.governor=performance'],
    async changes => {
      t.is(changes[0]?.state, 'no-effect')
      t.is(changes[0]?.note, 'accepted by the kernel, no effect seen: the frequency is 600000 kHz')
      t.is(await read(`${folder}/scaling_governor`), 'performance')
    },
    '--cpus',
    '0',
  )
})

kernelTest('a write that the kernel accepts and ignores is reported as that, and the rest stays', async t => {
  const service = await startMemcached(t)
  // What keeps a service on CPUs takes no others, and says nothing.
  await mkdir('/run/cgroup')
  await run('mount', ['-t', 'cgroup2', 'cgroup2', '/run/cgroup'])
  t.teardown(() => run('umount', ['/run/cgroup']))
  await mkdir('/run/cgroup/own')
  await writeFile('/run/cgroup/cgroup.subtree_control', '+cpuset')
  await writeFile('/run/cgroup/own/cpuset.cpus', '0')
  await writeFile('/run/cgroup/own/cgroup.procs', String(service.pid))
  await tryOut(
    t,
    ['--set', 'cpu.app_affinity=0-1', '--set', 'vm.thp=never', '--port', String(service.port)],
    async changes => {
      t.deepEqual(
        changes.map(({ knob, now, state }) => [knob, now, state]),
        [
          ['cpu.app_affinity', '0', 'no-effect'],
          ['vm.thp', 'never', 'written'],
        ],
      )
      t.regex(
        changes[0]?.note ?? '',
        /^accepted by the kernel, no effect seen: CPUs of memcached .* still is 0$/,
      )
    },
    [service.pid],
  )
})

kernelTest(
  "knobs of the machine: idle latency, busy polling, the softirq's budget, timers, huge pages",
  async t => {
    const settings = [
      'cpu.idle_latency=20',
      'net.busy_poll=50',
      'net.busy_read=50',
      'net.budget=600/8000',
      'kernel.timer_migration=0',
      'vm.thp=never',
    ]
    await tryKnobs(t, settings, async changes => {
      t.deepEqual(statesOf(changes), {
        'cpu.idle_latency': 'verified',
        'net.busy_poll': 'written',
        'net.busy_read': 'written',
        'net.budget': 'written',
        'kernel.timer_migration': 'written',
        'vm.thp': 'written',
      })
      t.is((await readFile('/dev/cpu_dma_latency')).readInt32LE(), 20)
      t.is(await read('/proc/sys/net/core/netdev_budget'), '600')
    })
    await tryKnobs(
      t,
      ['cpu.idle_latency=20'],
      async () => {
        t.is(await read('/sys/devices/system/cpu/cpu1/power/pm_qos_resume_latency_us'), '20')
      },
      '--cpus',
      '1',
    )
  },
)

kernelTest('taut apply low-latency and taut revert: every setting is as before', async t => {
  const before = await takeAll()
  const changes = await taut(t, 'apply', 'low-latency', '--yes')
  t.true(changes.length > 5)
  t.not(await takeAll(), before)
  await taut(t, 'revert')
  t.is(await takeAll(), before)
})
