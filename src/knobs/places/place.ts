import * as v from 'valibot'
import { affinityPlace, isSameAffinity, readAffinity, writeAffinity } from './affinity.js'
import { coalescePlace, readCoalesce, writeCoalesce } from './coalesce.js'
import { filePlace, isSameText, readFilePlace, writeFilePlace } from './file.js'
import { irqbalancePlace, readBan, writeBan } from './irqbalance.js'
import { latencyPlace, readLatency, writeLatency } from './latency.js'
import { offloadPlace, readOffload, writeOffload } from './offload.js'

/**
 * The schema of a place: where a setting lives, as data that goes into the journal and comes back from it, and so as
 * narrow as what taut may ever write to.
 */
export const placeSchema = v.variant('kind', [
  filePlace,
  affinityPlace,
  coalescePlace,
  offloadPlace,
  latencyPlace,
  irqbalancePlace,
])

/** Where a setting lives. What it holds is a text. */
export type Place = v.InferOutput<typeof placeSchema>

const VALUES: Record<Place['kind'], RegExp> = {
  file: /^[\w,/+-]{1,4096}$/,
  affinity: /^[\d,-]{1,4096}(?: \d{1,10}@\d{1,20}=[\d,-]{1,4096})*$/,
  coalesce: /^(?:\d{1,10}|on|off)$/,
  offload: /^(?:on|off)$/,
  latency: /^(?:\d{1,10}|not held)$/,
  irqbalance: /^(?:banned|balanced)$/,
}

/** Tells whether a text can be what a place of that kind holds. */
export const isValueOf = (place: Place, value: string): boolean => VALUES[place.kind].test(value)

/**
 * Gives what a place holds now; null where there is none that can be read, as when a network card, a process or the
 * kernel's support for it is gone, or a CPU is offline. Throws the error of any other refusal.
 */
export const readPlace = async (place: Place): Promise<string | null> => {
  switch (place.kind) {
    case 'file':
      return readFilePlace(place)
    case 'affinity':
      return readAffinity(place)
    case 'coalesce':
      return readCoalesce(place)
    case 'offload':
      return readOffload(place)
    case 'latency':
      return readLatency()
    case 'irqbalance':
      return readBan(place)
  }
}

/** Writes a text to a place; throws when the kernel refuses it. What it did is for `readPlace` to say. */
export const writePlace = async (place: Place, value: string): Promise<void> => {
  switch (place.kind) {
    case 'file':
      return writeFilePlace(place, value)
    case 'affinity':
      return writeAffinity(place, value)
    case 'coalesce':
      return writeCoalesce(place, value)
    case 'offload':
      return writeOffload(place, value)
    case 'latency':
      return writeLatency(value)
    case 'irqbalance':
      return writeBan(place, value)
  }
}

/**
 * Tells whether two texts mean the same to a place: `0-1` and `0,1` of a list of CPUs, `3` and `00000003` of a mask, those
 * that differ in what they have for threads that have ended.
 */
export const isSameValue = (place: Place, a: string, b: string): boolean => {
  if (place.kind === 'file') return isSameText(place, a, b)
  return place.kind === 'affinity' ? isSameAffinity(place, a, b) : a === b
}

/** Gives the name of a place, by which a person finds it, and which no other place has. */
export const describePlace = (place: Place): string => {
  switch (place.kind) {
    case 'file':
      return place.path
    case 'affinity':
      return `CPUs of ${place.comm} (${place.pid})`
    case 'coalesce':
    case 'offload':
      return `${place.parameter} of ${place.nic}`
    case 'latency':
      return '/dev/cpu_dma_latency'
    case 'irqbalance':
      return `interrupt ${place.irq} in irqbalance`
  }
}

/** Tells whether a place is of one network namespace, and another one of the same name is elsewhere. */
export const isOfNetns = (place: Place): boolean =>
  place.kind === 'coalesce' ||
  place.kind === 'offload' ||
  // What of /proc/sys/net there is but once, only the first namespace shows.
  (place.kind === 'file' && /^\/(?:sys\/class|proc\/sys)\/net\//.test(place.path))
