import type { Nic } from '../system/nics.js'
import { type Selection, Unavailable } from './knob.js'
import { type Place, readPlace } from './places/place.js'

type File = Extract<Place, { kind: 'file' }>

/** Gives the place of a file of a network device's. */
export const nicFile = ({ name }: Nic, file: string, form: File['form'] = 'text'): File => ({
  kind: 'file',
  path: `/sys/class/net/${name}/${file}`,
  form,
})

/** Gives those of the places that are there. Throws an Unavailable with the reason when none is. */
export const keepPresent = async <T extends { place: Place }>(
  items: readonly T[],
  reason: string,
): Promise<T[]> => {
  const values = await Promise.all(items.map(({ place }) => readPlace(place)))
  const present = items.filter((_, index) => values[index] !== null)
  if (present.length === 0) throw new Unavailable(reason)
  return present
}

/** Gives the network devices chosen. Throws an Unavailable when there are none. */
export const requireNics = ({ nics }: Selection): Nic[] => {
  if (nics.length === 0) throw new Unavailable('there is no network device but loopback')
  return nics
}
