import test from 'ava'
import { countWakeups, readIdleNames, readMeanMhz } from '../../src/system/idle.js'
import { createMachine, within } from './fixtures/machine.js'

test('wake-ups are those of all states of all CPUs, the frequency is the mean of all policies', t => {
  const cpu = 'sys/devices/system/cpu'
  const [sys] = createMachine(t, {
    ...within(`${cpu}/cpu0/cpuidle/state0`, { usage: '10\n' }),
    ...within(`${cpu}/cpu0/cpuidle/state1`, { usage: '20\n' }),
    ...within(`${cpu}/cpu1/cpuidle/state0`, { usage: '400\n' }),
    ...within(`${cpu}/cpufreq/policy0`, { scaling_cur_freq: '600000\n' }),
    ...within(`${cpu}/cpufreq/policy4`, { scaling_cur_freq: '1800000\n' }),
  })
  t.is(countWakeups(sys), 430)
  t.is(readMeanMhz(sys), 1200)
})

test('idle states have the names that the first CPU has for them', t => {
  const idle = 'sys/devices/system/cpu/cpu0/cpuidle'
  const [sys] = createMachine(t, {
    ...within(`${idle}/state0`, { name: 'POLL\n' }),
    ...within(`${idle}/state2`, { name: 'C1E\n' }),
    ...within(`${idle}/state3`, { usage: '1\n' }),
  })
  t.deepEqual(
    [...readIdleNames(sys)],
    [
      [0, 'POLL'],
      [2, 'C1E'],
    ],
  )
})

test('without cpuidle and cpufreq nothing is known', t => {
  t.is(countWakeups('/nowhere'), null)
  t.is(readMeanMhz('/nowhere'), null)
  t.is(readIdleNames('/nowhere').size, 0)
})
