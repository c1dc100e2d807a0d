import { native, type ObjectHandle } from './native.js'

/** The elements of a map as bytes: `count` keys one after the other, and as many values, each in one array. */
export interface RawEntries {
  readonly count: number
  readonly keys: Uint8Array
  readonly values: Uint8Array
}

/** How a read went: there is more, that was all, one bucket needs more room, the kernel can't in batches. */
const outcomes = ['more', 'end', 'too small', 'unsupported'] as const

const fewest = 64

const grow = (bytes: Uint8Array, size: number): Uint8Array => {
  const grown = new Uint8Array(size)
  grown.set(bytes)
  return grown
}

const checkReuse = (reuse: RawEntries | undefined): RawEntries => {
  if (reuse === undefined) {
    return { count: 0, keys: new Uint8Array(0), values: new Uint8Array(0) }
  }

  if (!(reuse?.keys instanceof Uint8Array && reuse.values instanceof Uint8Array)) {
    throw new TypeError('reuse must be what an earlier readAll gave')
  }

  return reuse
}

/**
 * Reads all elements of a map, in batches where `byBatch` and the kernel allow it, else one by one.
 * Uses the memory of `reuse` where it is large enough. Throws a BpfError, and a TypeError for a map without keys.
 */
export const readEntries = (
  object: ObjectHandle,
  map: number,
  reuse?: RawEntries,
  byBatch = true,
): RawEntries => {
  const { name, keySize, valueStride, maxEntries } = native.mapDescribe(object, map)
  if (keySize === 0) {
    throw new TypeError(`The map ${name} has no keys to read it by`)
  }

  const read = byBatch ? native.mapLookupBatch : native.mapLookupEach
  const token = new Uint8Array(Math.max(keySize, 4))
  let { keys, values } = checkReuse(reuse)
  let capacity = Math.floor(Math.min(keys.length / keySize, values.length / valueStride))
  let count = 0
  let first = true
  const growTo = (wanted: number) => {
    capacity = wanted
    keys = grow(keys, capacity * keySize)
    values = grow(values, capacity * valueStride)
  }

  for (;;) {
    if (count === capacity) {
      growTo(Math.max(fewest, capacity * 2))
    }

    const result = read(
      object,
      map,
      first,
      token,
      keys.subarray(count * keySize),
      values.subarray(count * valueStride),
      capacity - count,
    )
    count += Math.floor(result / outcomes.length)
    switch (outcomes[result % outcomes.length]) {
      case 'more':
        first = false
        break
      case 'too small':
        growTo(capacity * 2)
        break
      case 'unsupported':
        return readEntries(object, map, { count, keys, values }, false)
      default:
        return { count, keys, values }
    }

    // One by one, the kernel starts over when the last key is gone: don't go round in circles.
    if (!byBatch && count >= maxEntries) {
      return { count, keys, values }
    }
  }
}
