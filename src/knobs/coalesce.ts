import { type Change, type Effect, InvalidValue, type Knob, Unavailable } from './knob.js'
import { requireNics } from './nic-places.js'
import { readWhole, readWord } from './number-values.js'
import { COALESCE_PARAMETERS } from './places/coalesce.js'
import { isSameValue, readPlace } from './places/place.js'
import { keepPresent } from './present.js'

/** A card that is silent for longer makes a machine that is reached over it hard to use. */
const MAX_US = 10_000
const MAX_FRAMES = 10_000

const isAdaptive = (parameter: string): boolean => parameter.startsWith('adaptive')

/** Reads `rx-usecs=0,adaptive-rx=off`. */
const parse = (value: string): Settings => {
  const settings = new Map(value.split(',').map(parseOne))
  const pair = findZeroPair(settings)
  if (pair !== undefined) throw new InvalidValue(refuseZeros(pair, 'together'))
  return settings
}

const parseOne = (part: string): [Parameter, string] => {
  const [name = '', text = ''] = part.split('=')
  const parameter = COALESCE_PARAMETERS.find(known => known === name)
  if (parameter === undefined)
    throw new InvalidValue(`'${name}' is no parameter (try ${COALESCE_PARAMETERS.join(', ')}, as rx-usecs=0)`)
  const to = isAdaptive(parameter)
    ? readWord(text, ['on', 'off'])
    : parameter.endsWith('usecs')
      ? readWhole(text, 0, MAX_US, 'microseconds')
      : readWhole(text, 0, MAX_FRAMES, 'frames')
  return [parameter, to]
}

/** A card that waits neither for a time nor for a number of packets may never interrupt (struct ethtool_coalesce of the kernel). */
const PAIRS = [
  ['rx-usecs', 'rx-frames'],
  ['tx-usecs', 'tx-frames'],
] as const

type Parameter = (typeof COALESCE_PARAMETERS)[number]
type Settings = ReadonlyMap<Parameter, string>

const findZeroPair = (settings: Settings) =>
  PAIRS.find(pair => pair.every(parameter => settings.get(parameter) === '0'))

const refuseZeros = (pair: readonly string[], where: string): string =>
  `${pair.join(' and ')} of 0 ${where} may mean no interrupt at all (try ${pair[0]}=1, or ${pair[1]}=1 with it)`

/** Throws an Unavailable when both of a pair would be 0 because one of them is already. */
const checkCard = async (nic: string, wanted: Settings): Promise<void> => {
  const present = new Map<Parameter, string>()
  for (const parameter of COALESCE_PARAMETERS) {
    const value = await readPlace({ kind: 'coalesce', nic, parameter })
    if (value !== null) present.set(parameter, value)
  }
  const after = new Map([...present, ...[...wanted].filter(([parameter]) => present.has(parameter))])
  const pair = findZeroPair(after)
  // Some drivers begin like that, and do interrupt.
  if (pair?.some(parameter => after.get(parameter) !== present.get(parameter)))
    throw new Unavailable(refuseZeros(pair, `on ${nic}, which has one of them already,`))
}

/** The driver's own answer is all there is to see. */
const watch =
  async ({ place, to }: Change) =>
  async (): Promise<Effect> => {
    const now = await readPlace(place)
    return now !== null && isSameValue(place, now, to)
      ? { state: 'verified', evidence: `the driver says ${now}` }
      : { state: 'written', evidence: `the driver made ${now ?? 'nothing'} of ${to}` }
  }

export const coalesce: Knob = {
  name: 'nic.coalesce',
  about: 'How long, or for how many packets, the card waits before it interrupts.',
  where: 'ethtool -C NIC',
  default: "the driver's",
  values:
    'rx-usecs, tx-usecs, rx-frames, tx-frames, adaptive-rx, adaptive-tx, as rx-usecs=0,adaptive-rx=off; not both rx-usecs and rx-frames 0',
  helps:
    'At a low rate requests take rx-usecs longer than they would have to, outside of this machine’s stages.',
  harms: 'Under load an interrupt for every packet: `irq` and the CPU time of softirqs grow.',
  effect: "The driver's answer (ethtool -c).",
  isBeforeStages: true,
  selector: 'nic',
  check: parse,
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const settings = parse(value)
    for (const { name } of nics) await checkCard(name, settings)
    // While it is adaptive a driver may refuse what it chooses itself.
    const parameters = [...settings].toSorted(([a], [b]) => Number(isAdaptive(b)) - Number(isAdaptive(a)))
    const assignments = nics.flatMap(({ name }) =>
      parameters.map(([parameter, to]) => ({
        place: { kind: 'coalesce', nic: name, parameter } as const,
        to,
      })),
    )
    return keepPresent(assignments, 'the driver has no such interrupt coalescing')
  },
  watch,
}
