import test from 'ava'
import type { Advice } from '../../src/advise/all.js'
import { adviseFor } from '../../src/advise/for-goal.js'

const found = (rule: string, settings: Advice['settings']): Advice => ({
  rule,
  finding: rule,
  evidence: [],
  settings,
  gain: null,
  cost: 'none',
  expense: 'none',
  risk: 'none',
})

const LATENCY = found('deep-idle', [{ knob: 'cpu.idle_latency', value: '5' }])
const HOPELESS = found('own-time', [])

test('for latency it is what the rules have found', t => {
  t.deepEqual(adviseFor('p99', [HOPELESS, LATENCY], 'eth0'), [HOPELESS, LATENCY])
})

test('for throughput the settings of its profile come besides, each by itself, on the device of the requests', t => {
  const [first, second, ...others] = adviseFor('throughput', [HOPELESS, LATENCY], 'eth0')
  t.deepEqual([first, second], [HOPELESS, LATENCY])
  t.true(others.length > 3)
  t.true(others.every(({ rule, settings }) => rule === 'profile throughput' && settings.length === 1))
  t.true(others.some(({ settings }) => settings[0]?.knob === 'net.rps' && settings[0].nic === 'eth0'))
})

test('what a rule advises as well comes once, as the rule has found it', t => {
  const governor = found('slow-governor', [{ knob: 'cpu.governor', value: 'performance' }])
  const all = adviseFor('throughput', [governor], 'eth0')
  t.deepEqual(
    all.filter(({ settings }) => settings[0]?.knob === 'cpu.governor'),
    [governor],
  )
})

test('what does nothing without each other is one candidate', t => {
  const deferral = adviseFor('energy', [], 'eth0').filter(({ settings }) =>
    settings.some(({ knob }) => /napi_defer|gro_flush/.test(knob)),
  )
  t.deepEqual(
    deferral.map(({ settings }) => settings.map(({ knob }) => knob)),
    [['net.napi_defer_hard_irqs', 'net.gro_flush_timeout']],
  )
})

test('where the requests came by no device, none is set', t => {
  const isOfDevice = ({ settings }: Advice): boolean =>
    settings.some(({ knob }) => /^(nic|irq|net\.(rps|rfs|xps|napi|gro|threaded))/.test(knob))
  for (const goal of ['throughput', 'energy']) {
    t.true(adviseFor(goal, [], 'eth0').some(isOfDevice))
    t.false(adviseFor(goal, [], null).some(isOfDevice))
  }
})

test('for energy they come instead: what betters latency costs energy', t => {
  const all = adviseFor('energy', [HOPELESS, LATENCY], null)
  t.is(all.at(-1), HOPELESS)
  const others = all.slice(0, -1)
  t.true(others.every(({ rule }) => rule === 'profile energy-saver'))
  t.true(
    others.some(({ settings }) => settings[0]?.knob === 'cpu.governor' && settings[0].value === 'powersave'),
  )
})
