import { basename, join } from 'node:path'
import { printable } from '../text/printable.js'
import { listEntries, listNumbered, readText, resolveLink } from './files.js'

/** A value of a chip that watches the hardware, named after the chip and the value's label; `path` is its file. */
type Sensor = { name: string; path: string }

/** Thermal zones and batteries appear among the chips once more; they are read where they are. */
const OTHER_CLASSES = /\/(?:thermal_zone\d+|power_supply\/[^/]+)\//

/**
 * Gives the values of all hwmon chips whose files' names fit; the first group is what they are called without a
 * label.
 */
export const listSensors = (sys: string, pattern: RegExp): Sensor[] => {
  const folder = join(sys, 'class/hwmon')
  return listNumbered(folder, 'hwmon').flatMap(number => {
    const chip = resolveLink(join(folder, `hwmon${number}`))
    if (chip === null || OTHER_CLASSES.test(`${chip}/`)) return []
    const name = readText(join(chip, 'name')) ?? basename(chip)
    const values = new Map<string, string>()
    for (const file of listEntries(chip).sort()) {
      const value = pattern.exec(file)?.[1]
      // Of several the last by name: the value of now comes after its average.
      if (value !== undefined) values.set(value, join(chip, file))
    }
    return [...values].map(([value, path]) => ({
      name: printable(`${name} ${readText(join(chip, `${value}_label`)) || value}`),
      path,
    }))
  })
}

/** Numbers those that share a name with one before them: a machine may have two disks of a kind. */
export const tellApart = <T extends { name: string }>(items: readonly T[]): T[] => {
  const counts = new Map<string, number>()
  return items.map(item => {
    const count = (counts.get(item.name) ?? 0) + 1
    counts.set(item.name, count)
    return count === 1 ? item : { ...item, name: `${item.name} (${count})` }
  })
}
