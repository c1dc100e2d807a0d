import type { ObjectHandle } from './native.js'

/** Where the addon finds a map: the handle of the object and the map's index in it. */
export interface MapPlace {
  readonly object: ObjectHandle
  readonly index: number
}

// Beside the maps and not in them, so that handles are no part of what users see.
const places = new WeakMap<object, MapPlace>()

/** Notes where a map is. */
export const rememberPlace = (map: object, place: MapPlace): void => {
  places.set(map, place)
}

/** Gives the place of a map; throws a TypeError with the argument's name for anything else. */
export const findPlace = (map: unknown, argument: string): MapPlace => {
  const place = typeof map === 'object' && map !== null ? places.get(map) : undefined
  if (place === undefined) {
    throw new TypeError(`${argument} must be a BpfMap`)
  }

  return place
}
