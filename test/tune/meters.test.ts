import { performance } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import type { EnergyMeter } from '../../src/system/power.js'
import {
  chooseBasis,
  chooseSource,
  nameStandIn,
  readSource,
  watchRefresh,
  wattsBetween,
} from '../../src/tune/meters.js'
import { createMachine, within } from '../system/fixtures/machine.js'

const meter = (
  source: EnergyMeter['source'],
  name: string,
  value: number | null = 1,
  unit: EnergyMeter['unit'] = 'J',
): EnergyMeter => ({ source, name, unit, wrapsAt: 100, read: () => value })

const nameOf = (...meters: EnergyMeter[]): string | undefined => chooseSource(meters)?.name

const PACKAGES = [
  meter('powercap', 'package-0'),
  meter('powercap', 'package-0/core'),
  meter('powercap', 'package-1'),
]
const BOARD = meter('hwmon', 'ina226 power1', 4, 'W')

test('of meters the widest is used, all packages together, and named by where it is', t => {
  t.is(nameOf(...PACKAGES, BOARD), 'powercap package-0+package-1')
  t.is(nameOf(...PACKAGES, meter('powercap', 'psys')), 'powercap psys')
  t.is(nameOf(BOARD, meter('hwmon', 'ina226 power2'), meter('battery', 'BAT0')), 'hwmon ina226 power1')
  t.is(nameOf(meter('battery', 'BAT0'), meter('battery', 'BAT1', null)), 'battery BAT0')
  t.is(nameOf(meter('battery', 'BAT0', null)), undefined)
})

test('packages are added up, and a counter that began anew is no loss', t => {
  const source = chooseSource(PACKAGES)
  if (source === null) throw new Error('there are two')
  t.deepEqual(readSource(source), [1, 1])
  t.is(wattsBetween(source, [10, 95], [14, 1], 2), (4 + 6) / 2)
  t.is(wattsBetween(source, [10, 200], [14, 1], 2), null)
  const board = chooseSource([BOARD])
  t.is(board && wattsBetween(board, [3], [4], 2), 4)
})

test('a meter that tells nothing new within a slice is not used, and that is said', t => {
  const source = chooseSource([meter('battery', 'BAT0', 8, 'W')])
  t.is(chooseBasis(source, 200, 250).source, source)
  t.deepEqual(chooseBasis(source, 12_000, 300), {
    source: null,
    why: 'battery BAT0 tells something new only every 12.0 s, and slices take 0.3 s',
  })
  t.regex(chooseBasis(source, Number.POSITIVE_INFINITY, 300).why ?? '', /^battery BAT0 told nothing new/)
  t.deepEqual(chooseBasis(null, 0, 300), { source: null, why: 'nothing here tells watts' })
})

test('what stands in for watts is what the kernel tells', t => {
  const cpu = 'sys/devices/system/cpu'
  const idle = within(`${cpu}/cpu0/cpuidle/state1`, { name: 'C1\n', time: '5\n' })
  const [sys] = createMachine(t, idle)
  t.is(nameStandIn(sys), 'time awake, by the depth of idle states')
  const [both] = createMachine(t, {
    ...idle,
    ...within(`${cpu}/cpufreq/policy0/stats`, { time_in_state: '600000 10\n1800000 30\n' }),
  })
  t.is(nameStandIn(both), 'time awake, by the depth of idle states, times the mean frequency')
  t.is(nameStandIn('/nowhere'), 'CPU busy time')
})

test('how often a meter tells something new is seen by watching it', async t => {
  const now = (): number => performance.now()
  const moving: EnergyMeter = { ...BOARD, read: () => Math.floor(now() / 100) }
  const ends = [moving, BOARD].map(each => watchRefresh({ name: '', meters: [each] }, now))
  await setTimeout(600)
  const [often = 0, never] = ends.map(end => end())
  t.true(often >= 75 && often < 600, `${often}`)
  t.is(never, Number.POSITIVE_INFINITY)
})
