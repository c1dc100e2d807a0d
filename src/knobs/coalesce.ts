import { InvalidValue, type Knob } from './knob.js'
import { requireNics } from './nic-places.js'
import { readWhole, readWord } from './number-values.js'
import { COALESCE_PARAMETERS } from './places/coalesce.js'
import { keepPresent } from './present.js'

const MAX = 100_000

/** Reads `rx-usecs=0,adaptive-rx=off`. */
const parse = (value: string) =>
  value.split(',').map(part => {
    const [name = '', text = ''] = part.split('=')
    const parameter = COALESCE_PARAMETERS.find(known => known === name)
    if (parameter === undefined)
      throw new InvalidValue(
        `'${name}' is no parameter (try ${COALESCE_PARAMETERS.join(', ')}, as rx-usecs=0)`,
      )
    const to = parameter.startsWith('adaptive')
      ? readWord(text, ['on', 'off'])
      : readWhole(text, 0, MAX, parameter.endsWith('usecs') ? 'microseconds' : 'frames')
    return { parameter, to }
  })

export const coalesce: Knob = {
  name: 'nic.coalesce',
  about: 'How long, or for how many packets, the card waits before it interrupts.',
  where: 'ethtool -C NIC',
  default: "the driver's",
  values: 'rx-usecs, tx-usecs, rx-frames, tx-frames, adaptive-rx, adaptive-tx, as rx-usecs=0,adaptive-rx=off',
  helps:
    'At a low rate requests take rx-usecs longer than they would have to, outside of this machine’s stages.',
  harms: 'Under load an interrupt for every packet: `irq` and the CPU time of softirqs grow.',
  effect: 'ethtool reads it back.',
  selector: 'nic',
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const parameters = parse(value)
    const assignments = nics.flatMap(({ name }) =>
      parameters.map(({ parameter, to }) => ({
        place: { kind: 'coalesce', nic: name, parameter } as const,
        to,
      })),
    )
    return keepPresent(assignments, 'the driver has no such interrupt coalescing')
  },
}
