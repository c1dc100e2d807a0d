import { join } from 'node:path'
import { printable } from '../text/printable.js'
import { listNumbered, readInteger, readText } from './files.js'
import { listSensors, tellApart } from './sensors.js'

/**
 * A sensor of temperature, and what it shows now in °C; null when there is nothing to read, as of a card that sleeps.
 */
export type Thermometer = { name: string; read: () => number | null }

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
    return createThermometer(name, join(zone, 'temp'))
  })
  const sensors = listSensors(sys, /^(temp\d+)_input$/).map(({ name, path }) => createThermometer(name, path))
  return tellApart([...zones, ...sensors].filter(({ read }) => read() !== null))
}

const createThermometer = (name: string, path: string): Thermometer => ({
  name,
  read: () => {
    const value = readInteger(path)
    const celsius = value === null ? null : value / THOUSAND
    return celsius === null || celsius <= ABSOLUTE_ZERO ? null : celsius
  },
})
