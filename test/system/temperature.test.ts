import test from 'ava'
import { listThermometers } from '../../src/system/temperature.js'
import { createMachine, within } from './fixtures/machine.js'

const show = (sys: string) => listThermometers(sys).map(({ name, read }) => [name, read()])

test('a Raspberry Pi 5: the zone once, and the chip beside it', t => {
  // https://github.com/home-assistant/home-assistant.io/issues/31586, values of https://github.com/nonnorm/DietPi-Dashboard/issues/1190
  const zone = 'sys/devices/virtual/thermal/thermal_zone0'
  const adc = 'sys/devices/platform/axi/1000120000.pcie/1f000c8000.adc/hwmon/hwmon1'
  const [sys] = createMachine(
    t,
    {
      ...within(zone, { type: 'cpu-thermal\n', temp: '46300\n' }),
      ...within(`${zone}/hwmon0`, { name: 'cpu_thermal\n', temp1_input: '46300\n' }),
      ...within(adc, { name: 'rp1_adc\n', in1_input: '1468\n', temp1_input: '53729\n' }),
    },
    {
      'sys/class/thermal/thermal_zone0': zone,
      'sys/class/thermal/cooling_device0': 'sys/devices/virtual/thermal/cooling_device0',
      'sys/class/hwmon/hwmon0': `${zone}/hwmon0`,
      'sys/class/hwmon/hwmon1': adc,
    },
  )
  t.deepEqual(show(sys), [
    ['cpu-thermal', 46.3],
    ['rp1_adc temp1', 53.729],
  ])
})

test('the limit is the lowest at which something is done, and the chip of a zone has none of its own', t => {
  const [sys] = createMachine(
    t,
    {
      ...within('sys/class/thermal/thermal_zone0', {
        type: 'cpu-thermal\n',
        temp: '46300\n',
        trip_point_0_type: 'active\n',
        trip_point_0_temp: '50000\n',
        trip_point_1_type: 'critical\n',
        trip_point_1_temp: '110000\n',
        trip_point_2_type: 'passive\n',
        trip_point_2_temp: '80000\n',
      }),
      ...within('sys/devices/platform/chip.0/hwmon/hwmon0', {
        name: 'coretemp\n',
        temp1_input: '62000\n',
        temp1_max: '-1000\n',
        temp1_crit: '100000\n',
        temp2_input: '30000\n',
      }),
    },
    { 'sys/class/hwmon/hwmon0': 'sys/devices/platform/chip.0/hwmon/hwmon0' },
  )
  t.deepEqual(
    listThermometers(sys).map(({ name, limit }) => [name, limit]),
    [
      ['cpu-thermal', 80],
      ['coretemp temp1', 100],
      ['coretemp temp2', null],
    ],
  )
})

test('a PC: labels, two of a name, and sensors that are not there', t => {
  const chip = (number: number) => `sys/devices/platform/chip.${number}/hwmon/hwmon${number}`
  const [sys] = createMachine(
    t,
    {
      ...within('sys/class/thermal/thermal_zone0', { type: 'acpitz\n', temp: '-274000\n' }),
      ...within('sys/class/thermal/thermal_zone1', { type: 'iwlwifi_1\n', temp: '' }),
      ...within('sys/class/thermal/thermal_zone2', { type: 'x86_pkg_temp\u001B[2J\n', temp: '62000\n' }),
      ...within('sys/class/thermal/thermal_zone10', { type: 'outside\n', temp: '-12500\n' }),
      ...within(chip(0), {
        name: 'coretemp\n',
        temp1_input: '62000\n',
        temp1_label: 'Package id 0\n',
        temp2_input: '61000\n',
        temp2_label: 'Core 0\n',
        temp2_max: '100000\n',
      }),
      ...within(chip(1), { name: 'nvme\n', temp1_input: '35850\n', temp1_label: 'Composite\n' }),
      ...within(chip(2), { name: 'nvme\n', temp1_input: '36850\n', temp1_label: 'Composite\n' }),
    },
    Object.fromEntries([0, 1, 2].map(number => [`sys/class/hwmon/hwmon${number}`, chip(number)])),
  )
  t.deepEqual(show(sys), [
    ['x86_pkg_temp', 62],
    ['outside', -12.5],
    ['coretemp Package id 0', 62],
    ['coretemp Core 0', 61],
    ['nvme Composite', 35.85],
    ['nvme Composite (2)', 36.85],
  ])
  t.deepEqual(listThermometers('/nowhere'), [])
})

test('this machine’s thermometers, if it has any, give numbers', t => {
  for (const { read } of listThermometers()) {
    const celsius = read()
    t.true(celsius === null || Number.isFinite(celsius))
  }
  t.pass()
})
