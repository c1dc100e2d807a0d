import { basename, join } from 'node:path'
import { printable } from '../text/printable.js'
import { listEntries, readInteger, readNatural, readText } from './files.js'
import { listSensors, tellApart } from './sensors.js'

/**
 * A source of what the machine, or a part of it, uses: a counter of energy in joules, or power in watts, now or
 * lately.
 *
 * A counter of energy starts again at 0 once it was at `wrapsAt`; null where that isn't told. `read` gives null when
 * there is nothing to read now, as of a battery that is not being used.
 */
export type EnergyMeter = {
  source: 'powercap' | 'hwmon' | 'battery'
  name: string
  unit: 'J' | 'W'
  wrapsAt: number | null
  read: () => number | null
}

/** The kernel counts in millionths of all these units. */
const MILLION = 1e6

/**
 * Gives the meters that can be read now. Since Linux 5.10 those of powercap take root.
 *
 * They overlap, and must not be added up: of powercap's zones `package-0` holds `package-0/core` and
 * `package-0/uncore`, and `psys`, where there is one, nearly all. A battery tells only while it is used.
 */
export const listEnergyMeters = (sys = '/sys'): EnergyMeter[] => [
  ...listZones(sys),
  ...listHwmonMeters(sys),
  ...listBatteries(sys),
]

/**
 * Gives the joules between two readings of a counter of energy; null when it went back and nobody knows from where.
 */
export const joulesBetween = ({ wrapsAt }: EnergyMeter, before: number, after: number): number | null => {
  if (after >= before) return after - before
  return wrapsAt === null || before > wrapsAt ? null : wrapsAt - before + after
}

const isReadable = ({ read }: EnergyMeter): boolean => read() !== null

/**
 * See Documentation/power/powercap/powercap.rst: a zone is `<type>:<zone>`, those within it `<type>:<zone>:<zone>`.
 */
const listZones = (sys: string): EnergyMeter[] => {
  const folder = join(sys, 'class/powercap')
  const zones = listEntries(folder)
    .filter(zone => /^[\w-]+(?::\d+)+$/.test(zone))
    .sort()
  const meters = zones.map((zone): EnergyMeter => {
    const range = readNatural(join(folder, zone, 'max_energy_range_uj'))
    return {
      source: 'powercap',
      name: nameZone(folder, zone),
      unit: 'J',
      wrapsAt: range === null ? null : range / MILLION,
      read: () => scale(readNatural(join(folder, zone, 'energy_uj'))),
    }
  })
  // intel-rapl-mmio counts what intel-rapl counts, read another way.
  return meters
    .filter(isReadable)
    .filter(({ name }, index, all) => all.findIndex(meter => meter.name === name) === index)
}

const nameZone = (folder: string, zone: string): string => {
  const [type = '', ...numbers] = zone.split(':')
  const paths = numbers.map((_, level) => [type, ...numbers.slice(0, level + 1)].join(':'))
  return paths.map(path => printable(readText(join(folder, path, 'name')) ?? path)).join('/')
}

/** See Documentation/ABI/testing/sysfs-class-hwmon. */
const listHwmonMeters = (sys: string): EnergyMeter[] => {
  const energies = listSensors(sys, /^(energy\d+)_input$/).map(
    ({ name, path }): EnergyMeter => ({
      source: 'hwmon',
      name,
      unit: 'J',
      wrapsAt: null,
      read: () => scale(readNatural(path)),
    }),
  )
  // Some have the average only, of a time of their own.
  const powers = listSensors(sys, /^(power\d+)_(?:input|average)$/).map(
    ({ name, path }): EnergyMeter => ({
      source: 'hwmon',
      name,
      unit: 'W',
      wrapsAt: null,
      read: () => scale(readNatural(path)),
    }),
  )
  return tellApart([...energies, ...powers].filter(isReadable))
}

/** See Documentation/ABI/testing/sysfs-class-power. */
const listBatteries = (sys: string): EnergyMeter[] => {
  const folder = join(sys, 'class/power_supply')
  return listEntries(folder)
    .map(name => join(folder, name))
    .filter(
      supply =>
        readText(join(supply, 'type')) === 'Battery' &&
        // That of a mouse, say.
        readText(join(supply, 'scope')) !== 'Device' &&
        readBatteryPower(supply) !== null,
    )
    .map(supply => ({
      source: 'battery',
      name: printable(basename(supply)),
      unit: 'W',
      wrapsAt: null,
      // What goes into it tells nothing of what the machine uses.
      read: () => (readText(join(supply, 'status')) === 'Discharging' ? readBatteryPower(supply) : null),
    }))
}

/** Some drivers have the current of discharging negative. */
const readBatteryPower = (supply: string): number | null => {
  const power = scale(readInteger(join(supply, 'power_now')))
  if (power !== null) return Math.abs(power)
  const current = scale(readInteger(join(supply, 'current_now')))
  const voltage = scale(readNatural(join(supply, 'voltage_now')))
  return current === null || voltage === null ? null : Math.abs(current) * voltage
}

const scale = (value: number | null): number | null => (value === null ? null : value / MILLION)
