import type { Nic } from '../system/nics.js'
import { type Selection, Unavailable } from './knob.js'
import type { Place } from './places/place.js'

type File = Extract<Place, { kind: 'file' }>

/** Gives the place of a file of a network device's. */
export const nicFile = ({ name }: Nic, file: string, form: File['form'] = 'text'): File => ({
  kind: 'file',
  path: `/sys/class/net/${name}/${file}`,
  form,
})

/** Gives the network device that a file is of; an empty text of other places. */
export const findNicName = (place: Place): string =>
  place.kind === 'file' && place.path.startsWith('/sys/class/net/') ? (place.path.split('/')[4] ?? '') : ''

/** Gives the network devices chosen. Throws an Unavailable when there are none. */
export const requireNics = ({ nics }: Selection): Nic[] => {
  if (nics.length === 0) throw new Unavailable('there is no network device but loopback')
  return nics
}
