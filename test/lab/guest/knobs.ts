import { execFile } from 'node:child_process'
import { mkdir, readFile, realpath } from 'node:fs/promises'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import test from 'ava'
import { type Context, kernelTest } from '../../kernel/support/kernel-test.js'
import { startProcess } from '../../kernel/support/processes.js'
import { takeSettings } from '../../kernel/support/settings.js'
import { runTaut } from '../../kernel/support/taut.js'
import { waitFor } from '../../kernel/support/wait.js'

/** Runs in the machine, behind an e1000e card, with frequencies from an ACPI table. */
const run = promisify(execFile)
const ADDRESS = process.env.TAUT_LAB_ADDRESS ?? ''
const PEER = process.env.TAUT_LAB_PEER ?? ''
const NIC = 'eth0'
const NETNS = 'taut-lab'

type Change = { knob: string; where: string; to: string; now: string; state: string; note: string }

test.before('gives the card its address', async () => {
  await run('ip', ['netns', 'attach', NETNS, String(process.pid)])
  await run('ip', ['addr', 'add', `${ADDRESS}/24`, 'dev', NIC])
  await run('ip', ['link', 'set', NIC, 'up'])
  await waitFor('the card', async () =>
    (await read(`/sys/class/net/${NIC}/operstate`)) === 'up' ? true : null,
  )
})

const read = async (path: string): Promise<string> => (await readFile(path, 'latin1')).trim()

const taut = async (t: Context, ...args: string[]): Promise<Change[]> => {
  const { code, stdout, stderr } = await runTaut(t, [...args, '--json'])
  t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`)
  return JSON.parse(stdout)
}

/** Packets that come in, for as long as the test runs: a port on which nobody listens answers each try. */
const startTraffic = (t: Context): void => {
  let isOver = false
  t.teardown(() => {
    isOver = true
  })
  const knock = (): void => {
    if (isOver) return
    connect({ host: PEER, port: 9 }).once('error', knock)
  }
  knock()
}

/** Sets a knob, looks at it with `check`, and puts it back: all is as it was. */
const tryKnob = async (
  t: Context,
  settings: string[],
  check: (changes: Change[]) => Promise<void>,
  ...selectors: string[]
): Promise<void> => {
  const before = await takeSettings(NETNS, [])
  const sets = settings.flatMap(text => ['--set', text])
  const changes = await taut(t, 'apply', ...sets, '--nic', NIC, '--yes', ...selectors)
  t.log(changes.map(({ where, to, state, note }) => `${where} ${to}: ${state}, ${note}`).join('\n'))
  await check(changes)
  await taut(t, 'revert')
  t.is(await takeSettings(NETNS, []), before)
}

/** How often each CPU has handled the card's interrupt for what it receives. */
const countInterrupts = async (): Promise<number[]> => {
  const line = new RegExp(`^ *\\d+:((?: +\\d+)+) .*${NIC}-rx-0$`, 'm').exec(await read('/proc/interrupts'))
  return line?.[1]?.trim().split(/ +/).map(Number) ?? []
}

kernelTest('irq.affinity: the interrupts come to the new CPU, by the count of the kernel', async t => {
  startTraffic(t)
  for (const cpu of [1, 0]) {
    await tryKnob(t, [`irq.affinity=${cpu}`], async changes => {
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
    startTraffic(t)
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
    for (const irq of banned) t.is(await read(`/proc/irq/${irq}/effective_affinity_list`), '1')
    await taut(t, 'revert')
    t.deepEqual(await taut(t, 'status'), [])
  },
)

kernelTest('net.rps and net.rfs: other CPUs take packets over', async t => {
  startTraffic(t)
  await taut(t, 'apply', '--set', 'irq.affinity=0', '--nic', NIC, '--yes')
  await tryKnob(t, ['net.rps=1', 'net.rfs=4096'], async changes => {
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
    startTraffic(t)
    await tryKnob(t, ['net.threaded_napi=1'], async changes => {
      t.true(changes.every(({ state }) => state === 'verified'))
      const { stdout } = await run('pgrep', ['-f', `napi/${NIC}`]).catch(() => run('pgrep', [`napi/${NIC}`]))
      const pids = stdout.trim().split('\n')
      t.true(pids.length > 0)
      for (const pid of pids) t.regex((await run('taskset', ['-pc', pid])).stdout, /: 1$/m)
    })
  },
)

kernelTest('nic.coalesce, deferral and offload, by ethtool', async t => {
  const settings = [
    'nic.coalesce=rx-usecs=50',
    'nic.offload.gro=off',
    'net.gro_flush_timeout=20000',
    'net.napi_defer_hard_irqs=10',
  ]
  await tryKnob(t, settings, async () => {
    t.regex((await run('ethtool', ['-c', NIC])).stdout, /^rx-usecs:\s*50$/m)
    t.regex((await run('ethtool', ['-k', NIC])).stdout, /^generic-receive-offload: off/m)
  })
})

kernelTest('frequencies follow the governor, and what has no effect is reported as that', async t => {
  const policy = await realpath('/sys/devices/system/cpu/cpufreq/policy0')
  for (const [governor, limit] of [
    ['performance', 'scaling_max_freq'],
    ['powersave', 'scaling_min_freq'],
  ] as const) {
    if ((await read(`${policy}/scaling_governor`)) === governor) continue
    await tryKnob(t, [`cpu.governor=${governor}`], async changes => {
      t.is(changes.length, 2)
      const isHeld = (await read(`${policy}/scaling_cur_freq`)) === (await read(`${policy}/${limit}`))
      t.true(changes.every(({ state }) => state === (isHeld ? 'verified' : 'no-effect')))
    })
  }
  await tryKnob(
    t,
    ['cpu.min_freq=900000'],
    async () => {
      t.is(await read(`${policy}/scaling_min_freq`), '900000')
    },
    '--cpus',
    '0',
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
    await tryKnob(t, settings, async changes => {
      t.true(changes.every(({ state }) => state === 'verified'))
      t.is((await readFile('/dev/cpu_dma_latency')).readInt32LE(), 20)
      t.is(await read('/proc/sys/net/core/netdev_budget'), '600')
    })
    await tryKnob(
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
  const before = await takeSettings(NETNS, [])
  const changes = await taut(t, 'apply', 'low-latency', '--yes')
  t.true(changes.length > 5)
  t.not(await takeSettings(NETNS, []), before)
  await taut(t, 'revert')
  t.is(await takeSettings(NETNS, []), before)
})
