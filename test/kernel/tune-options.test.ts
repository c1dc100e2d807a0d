import {
  BOTH,
  createWorld,
  leftOutIn,
  MEMCACHED,
  NEIGHBOUR,
  type Report,
  SATURATED,
  STEADY,
  STEERING,
  triedIn,
} from './support/burnt-cpu.js'
import { kernelTest } from './support/kernel-test.js'
import { waitFor } from './support/wait.js'

kernelTest(
  '--exclude leaves a knob untried, --only leaves all others, and both say so',
  async t => {
    const { tune, cpus } = await createWorld(t, SATURATED)
    const plan = await tune(...BOTH, '--exclude', NEIGHBOUR, '--for', '5s', '--dry-run')
    t.regex(plan, /^LEFT OUT by --exclude: .+ \(\d+\) runs on CPU 1/m)
    t.regex(plan, /^1\. Protocol work is spread over all CPUs/m)

    const without: Report = JSON.parse(await tune(...BOTH, '--exclude', NEIGHBOUR, '--for', '10s', '--json'))
    t.deepEqual(triedIn(without), [STEERING])
    t.true(leftOutIn(without).includes(`--exclude ${NEIGHBOUR}`), JSON.stringify(without.left_out))

    const only = ['--goal', 'throughput', '--only', STEERING]
    const alone: Report = JSON.parse(await tune(...only, '--for', '10s', '--json'))
    t.deepEqual(triedIn(alone), [STEERING])
    t.true(leftOutIn(alone).includes(`--only ${NEIGHBOUR}`), JSON.stringify(alone.left_out))
    t.is(cpus(), '1')
  },
  'taskset',
)

kernelTest(
  '--target that is met already has nothing changed, and says so',
  async t => {
    const { tune, cpus } = await createWorld(t, STEADY)
    const met = ['--target', 'p99<10s', '--for', '5s']
    t.is(
      (await tune(...met, '--only', NEIGHBOUR)).trim().split('\n').at(-1),
      'The target is reached already; nothing was changed.',
    )
    const before: Report = JSON.parse(await tune(...met, '--json'))
    t.true(before.reached)
    t.deepEqual([before.trials, before.kept], [[], []])
    t.is(cpus(), '1')
  },
  'taskset',
)

kernelTest(
  'tune that is interrupted while it looks for the effect of a setting gives that back',
  async t => {
    // Of memcached's threads some hardly ever run: whether they went along is looked for as long as there is patience.
    const { service, startTaut, cpus } = await createWorld(t, MEMCACHED)
    const tuning = await startTaut(
      ...['tune', '--port', String(service.port), '--only', NEIGHBOUR, '--for', '5m'],
    )
    await waitFor('the first write', () => (cpus() === '0' ? true : null))
    tuning.child.kill('SIGINT')
    const { code, stdout, stderr } = await tuning.ended
    t.is(code, 130, stderr)
    t.is(stdout, '')
    t.is(cpus(), '1')
    t.deepEqual(JSON.parse((await (await startTaut('status', '--json')).ended).stdout), [])
  },
  'memcached',
  'taskset',
)
