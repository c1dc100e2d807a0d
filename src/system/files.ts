import { readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { parseCpuList } from './cpu-list.js'

/**
 * How far above a device the one may be that is meant: a virtio or USB device has its interrupts and node on a PCI
 * function.
 */
const MAX_DEVICES = 6

/** Gives a file's text, such as sysfs has it, without spaces around; null when it can't be read. */
export const readText = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    // Absent on this kernel or machine, or a driver that refuses: `speed` of a card that is down gives EINVAL.
    return null
  }
}

/** Gives the decimal integer that is all there is in a file; null when there is none, or more than is exact. */
export const readInteger = (path: string): number | null => {
  const text = readText(path) ?? ''
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(value) ? value : null
}

/** Gives the integer of a file that writes what it doesn't know as a negative number; null then, too. */
export const readNatural = (path: string): number | null => {
  const value = readInteger(path)
  return value === null || value < 0 ? null : value
}

/** Gives the CPUs of a file that has a list of them; null when it can't be read or holds something else. */
export const readCpuList = (path: string): number[] | null => {
  const text = readText(path)
  try {
    if (text === null) return null
    // A set of no CPUs is an empty line.
    return text === '' ? [] : parseCpuList(text)
  } catch {
    return null
  }
}

/** Gives the names in a folder; none when it can't be read. */
export const listEntries = (path: string): string[] => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** Gives the numbers N of the entries `<prefix>N` of a folder, in order. */
export const listNumbered = (path: string, prefix = ''): number[] =>
  listEntries(path)
    .filter(name => name.startsWith(prefix) && /^\d{1,10}$/.test(name.slice(prefix.length)))
    .map(name => Number(name.slice(prefix.length)))
    .sort((a, b) => a - b)

/** Gives the path that links lead to in the end; null when they lead nowhere. */
export const resolveLink = (path: string): string | null => {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

/**
 * Gives the paths of a device and of those above it, the nearest first; none when it isn't one of sysfs's devices.
 */
export const listDevicesUpwards = (device: string, sys: string): string[] => {
  const devices: string[] = []
  let place = device
  while (devices.length < MAX_DEVICES && place.startsWith(`${sys}/devices/`)) {
    devices.push(place)
    place = dirname(place)
  }
  return devices
}
