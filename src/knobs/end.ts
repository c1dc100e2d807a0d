import { statSync } from 'node:fs'
import { readBootId } from '../journal/boot.js'
import type { Entry } from '../journal/entry.js'
import { showsOwnDevices } from '../system/own-devices.js'
import { readNetns } from '../system/services.js'
import { readThread } from '../system/threads.js'
import { listTuners } from '../system/tuners.js'
import { isNetnsAlive } from './netns-alive.js'
import { findNicByIndex, findNicOf, moveToNic } from './places/nic-index.js'
import type { Place } from './places/place.js'

/** Folders without which there is nothing left that a file in them had set. */
const OWNERS = [
  /^(\/sys\/class\/net\/[^/]+\/queues)\/[rt]x-\d+/,
  /^(\/proc\/irq)\/\d+/,
  /^(\/sys\/devices\/system\/cpu)\/cpu\d+/,
]

/**
 * Tells why a change of the journal is over, because what had it is gone for good: the boot, the network namespace, the
 * device or the process. Gives null for whatever may only be out of reach. Throws as looking does.
 */
export const findEnd = ({ boot, netns, place, ifindex }: Entry): string | null => {
  if (boot !== readBootId()) return 'the machine has booted since, and the kernel has forgotten it'
  if (netns !== null && netns !== readNetns('self'))
    return isNetnsAlive(netns) ? null : 'its network namespace is gone'
  return findEndOfPlace(place, ifindex)
}

const findEndOfPlace = (place: Place, ifindex: number | undefined): string | null => {
  if (ifindex !== undefined && findNicOf(place) !== null) {
    if (!showsOwnDevices()) return null
    const name = findNicByIndex(ifindex)
    return name === null ? 'its network device is gone' : findEndOfPlace(moveToNic(place, name), undefined)
  }
  switch (place.kind) {
    case 'affinity':
      return hasEnded(place.pid, place.startTime) ? 'its process has ended' : null
    case 'irqbalance':
      return listTuners().some(({ name }) => name === 'irqbalance') ? null : 'irqbalance has ended'
    case 'file':
      return findEndOfFile(place.path)
    default:
      return null
  }
}

const hasEnded = (pid: number, startTime: number): boolean => {
  const thread = readThread(pid, pid)
  return thread === null ? !isThere(`/proc/${pid}`) : thread.startTime !== startTime
}

const findEndOfFile = (path: string): string | null => {
  for (const owner of OWNERS) {
    const [whole, folder] = owner.exec(path) ?? []
    if (whole !== undefined && folder !== undefined && isThere(folder) && !isThere(whole))
      return `${whole} is gone`
  }
  return null
}

const isThere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined
