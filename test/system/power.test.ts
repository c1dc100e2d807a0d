import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { joulesBetween, listEnergyMeters } from '../../src/system/power.js'
import { createMachine, within } from './fixtures/machine.js'

const show = (sys: string) =>
  listEnergyMeters(sys).map(({ name, unit, wrapsAt, read }) => [name, unit, wrapsAt, read()])

/** After a laptop's, whose CPU is an i7-8550U: https://github.com/flightlessmango/MangoHud/issues/1776 */
const zone = (name: string, energy: string) => ({
  name: `${name}\n`,
  enabled: '0\n',
  max_energy_range_uj: '262143328850\n',
  energy_uj: `${energy}\n`,
})
const ZONES = {
  ...within('sys/class/powercap/intel-rapl', { enabled: '1\n' }),
  ...within('sys/class/powercap/intel-rapl:0', zone('package-0', '26963529117')),
  ...within('sys/class/powercap/intel-rapl:0:0', zone('core', '7980278886')),
  ...within('sys/class/powercap/intel-rapl:1', zone('psys', '52000000000')),
  ...within('sys/class/powercap/intel-rapl-mmio:0', zone('package-0', '26963529000')),
}

test('the zones of powercap, each once', t => {
  const [sys] = createMachine(t, ZONES)
  t.deepEqual(show(sys).sort(), [
    ['package-0', 'J', 262143.32885, 26963.529],
    ['package-0/core', 'J', 262143.32885, 7980.278886],
    ['psys', 'J', 262143.32885, 52000],
  ])
})

test('a zone that this user may not read is no meter', t => {
  const [sys] = createMachine(t, {
    ...within('sys/class/powercap/intel-rapl:0', {
      name: 'package-0\n',
      max_energy_range_uj: '262143328850\n',
    }),
    ...within('sys/class/powercap/intel-rapl:1', zone('package-1', '-5')),
    ...within('sys/class/powercap/intel-rapl:2', zone('package-2', '99999999999999999999')),
  })
  t.deepEqual(show(sys), [])
  t.deepEqual(listEnergyMeters('/nowhere'), [])
})

test('energy counts on over the end of the counter', t => {
  const [sys] = createMachine(t, ZONES)
  const meter = listEnergyMeters(sys)[0]
  if (meter === undefined) return t.fail()
  const before = meter.read() ?? Number.NaN
  t.is(joulesBetween(meter, before, before + 2.5), 2.5)
  t.is(joulesBetween(meter, 262143, 1)?.toFixed(5), '1.32885')
  t.is(joulesBetween(meter, 262144, 1), null)
  t.is(joulesBetween({ ...meter, wrapsAt: null }, 2, 1), null)
})

test('a meter is read anew each time', t => {
  const [sys] = createMachine(t, ZONES)
  const meter = listEnergyMeters(sys).find(({ name }) => name === 'psys')
  t.is(meter?.read(), 52000)
  writeFileSync(join(sys, 'class/powercap/intel-rapl:1/energy_uj'), '52000000001\n')
  t.is(meter?.read(), 52000.000001)
  writeFileSync(join(sys, 'class/powercap/intel-rapl:1/energy_uj'), '')
  t.is(meter?.read(), null)
})

test('hwmon: energy and power with labels, and none of what a battery shows anyway', t => {
  const [sys] = createMachine(
    t,
    {
      ...within('sys/devices/pci0000:00/0000:03:00.0/hwmon/hwmon1', {
        name: 'amdgpu\n',
        power1_average: '11000000\n',
        power1_label: 'PPT\n',
        power1_cap: '203000000\n',
      }),
      ...within('sys/devices/platform/amd_energy.0/hwmon/hwmon2', {
        name: 'amd_energy\n',
        energy1_input: '1500000\n',
        energy1_label: 'Ecore000\n',
        energy2_input: '\n',
      }),
      ...within('sys/devices/LNXSYSTM:00/PNP0C0A:00/power_supply/BAT0/hwmon3', {
        name: 'BAT0\n',
        power1_input: '7000000\n',
      }),
      ...within('sys/devices/i2c/hwmon/hwmon4', {
        name: 'ina226\u001B[2J\n',
        power1_input: '4200000\n',
        power1_average: '1\n',
      }),
      ...within('sys/devices/i2c/hwmon/hwmon5', { name: 'ina226\n', power1_input: '4300000\n' }),
    },
    {
      'sys/class/hwmon/hwmon1': 'sys/devices/pci0000:00/0000:03:00.0/hwmon/hwmon1',
      'sys/class/hwmon/hwmon2': 'sys/devices/platform/amd_energy.0/hwmon/hwmon2',
      'sys/class/hwmon/hwmon3': 'sys/devices/LNXSYSTM:00/PNP0C0A:00/power_supply/BAT0/hwmon3',
      'sys/class/hwmon/hwmon4': 'sys/devices/i2c/hwmon/hwmon4',
      'sys/class/hwmon/hwmon5': 'sys/devices/i2c/hwmon/hwmon5',
    },
  )
  t.deepEqual(show(sys), [
    ['amd_energy Ecore000', 'J', null, 1.5],
    ['amdgpu PPT', 'W', null, 11],
    ['ina226 power1', 'W', null, 4.2],
    ['ina226 power1 (2)', 'W', null, 4.3],
  ])
})

const battery = (t: ExecutionContext, files: Record<string, string>) =>
  createMachine(t, {
    ...within('sys/class/power_supply/BAT0', { type: 'Battery\n', status: 'Discharging\n', ...files }),
    ...within('sys/class/power_supply/AC', { type: 'Mains\n', online: '0\n' }),
    ...within('sys/class/power_supply/hid-mouse', {
      type: 'Battery\n',
      scope: 'Device\n',
      status: 'Discharging\n',
      power_now: '9\n',
    }),
  })

test('a battery that tells its power, its current and voltage, or nothing', t => {
  // https://github.com/jaor/xmobar/issues/315
  const [power] = battery(t, { power_now: '27758000\n', voltage_now: '10459000\n' })
  t.deepEqual(show(power), [['BAT0', 'W', null, 27.758]])
  // https://github.com/mjkillough/cnx/pull/31
  const [current] = battery(t, { current_now: '756000\n', voltage_now: '12600000\n' })
  t.is(listEnergyMeters(current)[0]?.read()?.toFixed(4), '9.5256')
  const [negative] = battery(t, { current_now: '-756000\n', voltage_now: '12600000\n' })
  t.is(listEnergyMeters(negative)[0]?.read()?.toFixed(4), '9.5256')
  const [neither] = battery(t, { voltage_now: '12600000\n' })
  t.deepEqual(show(neither), [])
})

test('a battery that is charged does not tell what the machine uses', t => {
  const [sys] = battery(t, { status: 'Charging\n', power_now: '27758000\n' })
  const [meter] = listEnergyMeters(sys)
  t.is(meter?.read(), null)
  writeFileSync(join(sys, 'class/power_supply/BAT0/status'), 'Discharging\n')
  t.is(meter?.read(), 27.758)
})

test('this machine’s meters, if it has any, give numbers', t => {
  for (const { unit, read } of listEnergyMeters()) {
    t.regex(unit, /^[JW]$/)
    const value = read()
    t.true(value === null || (Number.isFinite(value) && value >= 0))
  }
  t.pass()
})
