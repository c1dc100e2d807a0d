import test from 'ava'
import { readFrequencyTimes } from '../../src/system/frequencies.js'
import { countWakeups, readIdleNames, readIdleTimes, readMeanMhz } from '../../src/system/idle.js'
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

test('time in idle states counts by their depth, and polling is none', t => {
  const cpu = 'sys/devices/system/cpu'
  const [sys] = createMachine(t, {
    ...within(`${cpu}/cpu0/cpuidle/state0`, { name: 'POLL\n', time: '1000000\n' }),
    ...within(`${cpu}/cpu0/cpuidle/state1`, { name: 'C1\n', time: '100\n' }),
    ...within(`${cpu}/cpu0/cpuidle/state2`, { name: 'C6\n', time: '300\n' }),
    ...within(`${cpu}/cpu1/cpuidle/state0`, { name: 'WFI\n', time: '40\n' }),
  })
  t.deepEqual(readIdleTimes(sys), { us: 440, deepUs: 50 + 300 + 40 })
})

test('the time that CPUs had each frequency is that of all policies', t => {
  const policies = 'sys/devices/system/cpu/cpufreq'
  const [sys] = createMachine(t, {
    ...within(`${policies}/policy0/stats`, { time_in_state: '600000 10\n1800000 30\n' }),
    ...within(`${policies}/policy4/stats`, { time_in_state: '2000000 5\n' }),
  })
  t.deepEqual(readFrequencyTimes(sys), { ticks: 45, mhzTicks: 6000 + 54_000 + 10_000 })
})

test('without cpuidle and cpufreq nothing is known', t => {
  t.is(countWakeups('/nowhere'), null)
  t.is(readMeanMhz('/nowhere'), null)
  t.is(readIdleTimes('/nowhere'), null)
  t.is(readFrequencyTimes('/nowhere'), null)
  t.is(readIdleNames('/nowhere').size, 0)
})
