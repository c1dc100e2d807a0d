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
  const pair = findDeafPair(settings)
  if (pair !== undefined) throw new InvalidValue(refuseDeaf(pair, settings, 'together'))
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

/** A card interrupts once either is over (struct ethtool_coalesce of the kernel). */
const PAIRS = [
  ['rx-usecs', 'rx-frames'],
  ['tx-usecs', 'tx-frames'],
] as const

type Parameter = (typeof COALESCE_PARAMETERS)[number]
type Settings = ReadonlyMap<Parameter, string>

/** With no time to wait only the number of packets counts: a single packet interrupts if that is 1, and if the card has none. */
const findDeafPair = (settings: Settings) =>
  PAIRS.find(([usecs, frames]) => settings.get(usecs) === '0' && (settings.get(frames) ?? '1') !== '1')

const refuseDeaf = ([usecs, frames]: (typeof PAIRS)[number], settings: Settings, where: string): string =>
  `${usecs} of 0 with ${frames} of ${settings.get(frames)} ${where} may mean no interrupt for a single packet (try ${usecs}=1, or ${frames}=1 with it)`

/** Throws an Unavailable when a single packet would not interrupt because of what one of a pair is already. */
const checkCard = async (nic: string, wanted: Settings): Promise<void> => {
  const present = new Map<Parameter, string>()
  for (const parameter of COALESCE_PARAMETERS) {
    const value = await readPlace({ kind: 'coalesce', nic, parameter })
    if (value !== null) present.set(parameter, value)
  }
  const after = new Map([...present, ...[...wanted].filter(([parameter]) => present.has(parameter))])
  const pair = findDeafPair(after)
  // Some drivers begin like that, and do interrupt.
  if (pair?.some(parameter => after.get(parameter) !== present.get(parameter)))
    throw new Unavailable(refuseDeaf(pair, after, `on ${nic}, which has one of them already,`))
}

/**
 * While it is adaptive a driver may refuse what it chooses itself. And what is to be 0 comes last: on the way there, and back in
 * reverse, the card is never left with neither a time nor a packet to wait for.
 */
const rank = (parameter: Parameter, to: string): number => (isAdaptive(parameter) ? 0 : to === '0' ? 2 : 1)

/** The driver's own answer is all there is to see, and no effect yet. */
const watch =
  async ({ place, to }: Change) =>
  async (): Promise<Effect> => {
    const now = await readPlace(place)
    const evidence =
      now !== null && isSameValue(place, now, to)
        ? `the driver says ${now}`
        : `the driver made ${now ?? 'nothing'} of ${to}`
    return { state: 'written', evidence }
  }

export const coalesce: Knob = {
  name: 'nic.coalesce',
  about: 'How long, or for how many packets, the card waits before it interrupts.',
  where: 'ethtool -C NIC',
  default: "the driver's",
  values:
    'rx-usecs, tx-usecs, rx-frames, tx-frames, adaptive-rx, adaptive-tx, as rx-usecs=0,rx-frames=1,adaptive-rx=off; with rx-usecs 0, rx-frames is 1 or the card has none',
  helps:
    'At a low rate requests take rx-usecs longer than they would have to, outside of this machine’s stages.',
  harms: 'Under load an interrupt for every packet: `irq` and the CPU time of softirqs grow.',
  effect:
    "None that can be seen at once: the driver's answer (ethtool -c); interrupts are for a measurement to show.",
  isBeforeStages: true,
  selector: 'nic',
  check: parse,
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const settings = parse(value)
    for (const { name } of nics) await checkCard(name, settings)
    const parameters = [...settings].toSorted(([a, x], [b, y]) => rank(a, x) - rank(b, y))
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
