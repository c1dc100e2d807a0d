import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { listEntries, readText } from './files.js'

const MAC = /^[\da-f]{2}(?::[\da-f]{2}){5}$/
/** What stands for no address, of a tunnel and others. */
const NO_MAC = '00:00:00:00:00:00'

/**
 * Tells whether /sys shows the network devices of this process's network namespace. It shows those of the namespace that it was
 * mounted in, which is another one after `nsenter --net` alone. They are compared by name and, as far as the system tells
 * without /sys, by address.
 */
export const showsOwnDevices = (sys = '/sys', proc = '/proc', readAddresses = readOwnAddresses): boolean => {
  const compare = (): boolean => {
    const own = listOwnNames(proc)
    // There is a file among the devices where bonding is loaded: bonding_masters.
    const shown = listEntries(join(sys, 'class/net')).filter(name =>
      existsSync(join(sys, 'class/net', name, 'flags')),
    )
    const addresses = readAddresses()
    return (
      own.length === shown.length &&
      own.every(
        name => shown.includes(name) && isAddressOf(join(sys, 'class/net', name), addresses.get(name)),
      )
    )
  }
  // One may come or go between the two readings.
  return compare() || compare()
}

/** Gives the names of the devices of this process's network namespace. */
export const listOwnNames = (proc = '/proc'): string[] =>
  Array.from((readText(join(proc, 'net/dev')) ?? '').matchAll(/^ *([^\s:]+):/gm), match => match[1] ?? '')

const isAddressOf = (folder: string, own: string | undefined): boolean => {
  const shown = readText(join(folder, 'address')) ?? ''
  return own === undefined || own === NO_MAC || !MAC.test(shown) || own === shown
}

/** Of devices that are up and have an address of IP. */
const readOwnAddresses = (): Map<string, string> =>
  new Map(
    Object.entries(networkInterfaces()).flatMap(([name, addresses]) => {
      const mac = addresses?.[0]?.mac
      return mac === undefined ? [] : [[name, mac] as const]
    }),
  )
