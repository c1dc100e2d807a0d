import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { listEntries, listNumbered, readInteger, readText } from './files.js'
import { listSensors, tellApart } from './sensors.js'

/**
 * A sensor of temperature, and what it shows now in °C; null when there is nothing to read, as of a card that sleeps. At its
 * limit the machine slows itself down, or worse; null where none is told.
 */
export type Thermometer = { name: string; limit: number | null; read: () => number | null }

const THOUSAND = 1000
/** Drivers show less where a sensor is missing. */
const ABSOLUTE_ZERO = -273.15

/**
 * Gives the thermometers that can be read now: thermal zones, and what hwmon chips have besides.
 *
 * See Documentation/ABI/testing/sysfs-class-thermal and sysfs-class-hwmon.
 */
export const listThermometers = (sys = '/sys'): Thermometer[] => {
  const folder = join(sys, 'class/thermal')
  const zones = listNumbered(folder, 'thermal_zone').map(number => {
    const zone = join(folder, `thermal_zone${number}`)
    const name = printable(readText(join(zone, 'type')) || `thermal_zone${number}`)
    return createThermometer(name, join(zone, 'temp'), findTrip(zone))
  })
  const sensors = listSensors(sys, /^(temp\d+)_input$/).map(({ name, path }) =>
    createThermometer(name, path, lowestOf(['max', 'crit'].map(kind => path.replace(/input$/, kind)))),
  )
  return tellApart([...zones, ...sensors].filter(({ read }) => read() !== null))
}

/** The kernel slows devices down at a passive trip point; at a hot or critical one it does more. */
const findTrip = (zone: string): number | null =>
  lowestOf(
    listEntries(zone)
      .filter(file => /^trip_point_\d+_type$/.test(file))
      .filter(file => /^(?:passive|hot|critical)$/.test(readText(join(zone, file)) ?? ''))
      .map(file => join(zone, file.replace(/type$/, 'temp'))),
  )

/** Drivers show 0 or less where a limit is not set. */
const lowestOf = (paths: readonly string[]): number | null => {
  const limits = paths.flatMap(path => readInteger(path) ?? []).filter(limit => limit > 0)
  return limits.length === 0 ? null : Math.min(...limits) / THOUSAND
}

const createThermometer = (name: string, path: string, limit: number | null): Thermometer => ({
  name,
  limit,
  read: () => {
    const value = readInteger(path)
    const celsius = value === null ? null : value / THOUSAND
    return celsius === null || celsius <= ABSOLUTE_ZERO ? null : celsius
  },
})
