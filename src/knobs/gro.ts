import type { Knob } from './knob.js'
import { requireNics } from './nic-places.js'
import { readWord } from './number-values.js'
import { readPlace } from './places/place.js'
import { keepPresent } from './present.js'

const read = (value: string): string => readWord(value, ['on', 'off'])

export const gro: Knob = {
  name: 'nic.offload.gro',
  about: 'Generic receive offload: packets of one stream are merged before the protocols see them.',
  where: 'ethtool -K NIC gro',
  default: 'on',
  values: 'on, off',
  helps: 'Off: requests are single small packets, and `driver` or `steer` waits for merges that never come.',
  harms: 'Off: large requests cost far more CPU time.',
  effect: "The device's own features, which the kernel goes by (ethtool -k).",
  selector: 'nic',
  check: read,
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const to = read(value)
    const assignments = nics.map(({ name }) => ({
      place: { kind: 'offload', nic: name, parameter: 'gro' } as const,
      to,
    }))
    return keepPresent(assignments, 'the driver does not let it be changed')
  },
  watch:
    async ({ place, to }) =>
    async () => {
      const now = await readPlace(place)
      return now === to
        ? { state: 'verified', evidence: `the device has it ${now}, which is what the kernel goes by` }
        : { state: 'written', evidence: `the device made ${now ?? 'nothing'} of ${to}` }
    },
}
