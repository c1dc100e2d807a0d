import {
  BOTH,
  createWorld,
  DEAR,
  NEIGHBOUR,
  type Report,
  SATURATED,
  triedIn,
} from '../kernel/support/burnt-cpu.js'
import { kernelTest } from '../kernel/support/kernel-test.js'
import { waitForOutput } from '../kernel/support/processes.js'

/** What has to be proven takes a machine that is otherwise idle: these are beside the troubles. */
kernelTest(
  'what costs CPU time is kept with --allow, and refused without',
  async t => {
    const { tune, cpus } = await createWorld(t, SATURATED)
    const args = ['--goal', 'throughput', '--only', NEIGHBOUR, '--for', '45s', '--json']
    const refused: Report = JSON.parse(await tune(...args))
    t.deepEqual(refused.kept, [])
    t.is(refused.trials[0]?.decision, 'undone')
    t.regex(
      refused.trials[0]?.reason ?? '',
      /^the CPUs were busy for \d+ % longer \(if a gain is worth that: --allow cpu=/,
    )
    t.is(cpus(), '1')

    const allowed: Report = JSON.parse(await tune(...args, ...DEAR))
    t.deepEqual(
      allowed.kept.map(({ knob }) => knob),
      [NEIGHBOUR],
      JSON.stringify(allowed),
    )
    t.true((allowed.trials[0]?.guards.cpu?.estimate ?? 0) > 1.1, JSON.stringify(allowed))
    t.is(cpus(), '0')
  },
  'taskset',
)

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  kernelTest(
    `--until-revert keeps what is proven while it runs, and gives it back at ${signal}`,
    async t => {
      const { service, startTaut, cpus } = await createWorld(t, SATURATED)
      const tuning = await startTaut(
        ...['tune', '--port', String(service.port), '--only', NEIGHBOUR, ...DEAR],
        ...['--goal', 'throughput', '--for', '45s', '--until-revert', '--json'],
      )
      const [text] = await waitForOutput(tuning, /^.+\n/)
      const report: Report = JSON.parse(text)
      t.is(report.kept.length, 1, text)
      // It is in force, and not to stay: for as long as it takes to ask, and whoever else would change something has to wait.
      const status = await (await startTaut('status', '--json')).ended
      t.deepEqual(
        JSON.parse(status.stdout).map(({ knob, now }: { knob: string; now: string }) => [knob, now]),
        [[NEIGHBOUR, '0']],
      )
      const revert = await (await startTaut('revert', '--all')).ended
      t.is(revert.code, 1, revert.stderr)
      t.regex(revert.stderr, /another taut \(process \d+\) is changing settings/)
      t.is(cpus(), '0')
      t.is(tuning.child.exitCode, null)

      tuning.child.kill(signal)
      const { code, stderr } = await tuning.ended
      t.is(code, 130, stderr)
      t.is(cpus(), '1')
      t.deepEqual(JSON.parse((await (await startTaut('status', '--json')).ended).stdout), [])
    },
    'taskset',
  )

kernelTest(
  '--target that a setting meets ends the trials there',
  async t => {
    const { tune, cpus } = await createWorld(t, SATURATED)
    // Beside the neighbour requests wait until that has had its turn, which is longer.
    const after: Report = JSON.parse(
      await tune(...BOTH, ...DEAR, '--target', 'mean<7ms', '--for', '70s', '--json'),
    )
    t.true(after.reached, JSON.stringify(after))
    t.deepEqual(triedIn(after), [NEIGHBOUR])
    t.is(cpus(), '0')
  },
  'taskset',
)

/** What a knob is tried for, by which number, and what a trial is told by as well. */
for (const [goal, knobs, guard] of [
  ['throughput', NEIGHBOUR, 'throughput'],
  ['p50', NEIGHBOUR, 'p50'],
  ['energy', 'net.napi_defer_hard_irqs,net.gro_flush_timeout', 'cpu'],
] as const)
  kernelTest(
    `--goal ${goal} has its trials judged by that`,
    async t => {
      const { tune } = await createWorld(t, SATURATED)
      const args = ['--goal', goal, '--only', knobs, ...DEAR, '--for', '20s', '--json']
      const report: Report = JSON.parse(await tune(...args))
      t.is(report.goal, goal)
      const [trial] = report.trials
      t.true(knobs.split(',').includes(trial?.knob ?? ''), JSON.stringify(report))
      // Of watts, where the hardware tells them.
      const name = goal === 'energy' && trial?.cost.watts !== null ? 'energy' : guard
      t.is(trial?.goal.estimate, trial?.guards[name]?.estimate)
      if (goal === 'throughput') t.true((trial?.goal.low ?? 0) > 1.2, JSON.stringify(trial))
      if (goal === 'p50') t.true((trial?.goal.high ?? 1) < 0.8, JSON.stringify(trial))
    },
    'taskset',
  )
