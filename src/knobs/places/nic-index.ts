import { listEntries, readNatural } from '../../system/files.js'
import type { Place } from './place.js'

const FOLDER = '/sys/class/net'
const OF_NIC = /^(\/sys\/class\/net\/)([^/]+)(\/.*)$/

/** Gives the name of the network device that a place is of; null for places of no device. */
export const findNicOf = (place: Place): string | null => {
  if (place.kind === 'coalesce' || place.kind === 'offload') return place.nic
  return place.kind === 'file' ? (OF_NIC.exec(place.path)?.[2] ?? null) : null
}

/** Gives the same place of a network device of another name. */
export const moveToNic = (place: Place, nic: string): Place => {
  if (place.kind === 'coalesce' || place.kind === 'offload') return { ...place, nic }
  return place.kind === 'file' ? { ...place, path: place.path.replace(OF_NIC, `$1${nic}$3`) } : place
}

/** Gives the index by which the kernel knows a network device, whatever its name is; null when it can't be read. */
export const readIfindex = (nic: string): number | null => readNatural(`${FOLDER}/${nic}/ifindex`)

/** Gives the name that a network device of this namespace has now; null when it has none here. */
export const findNicByIndex = (ifindex: number): string | null =>
  listEntries(FOLDER).find(name => readIfindex(name) === ifindex) ?? null
