import { type Assignment, type Change, type Effect, InvalidValue, type Knob, Unavailable } from './knob.js'
import { requireNics } from './nic-places.js'
import { readWhole, readWord } from './number-values.js'
import { COALESCE_PAIRS, COALESCE_PARAMETERS, isDeaf, leavesDeaf } from './places/coalesce.js'
import { isSameValue, readPlace } from './places/place.js'
import { keepPresent, readAfter } from './present.js'

/** A card that is silent for longer makes a machine that is reached over it hard to use. */
const MAX_US = 10_000
const MAX_FRAMES = 10_000

/** Reads `rx-usecs=0,adaptive-rx=off`. */
const parse = (value: string): Settings => {
  const settings = new Map(value.split(',').map(parseOne))
  // What is not said is the card's.
  const pair = COALESCE_PAIRS.find(pair => settings.get(pair[0]) === '0' && isDeafPair(pair, settings))
  if (pair !== undefined) throw new InvalidValue(explainDeaf(pair, settings, 'together'))
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

type Parameter = (typeof COALESCE_PARAMETERS)[number]
type Settings = ReadonlyMap<Parameter, string>
type Pair = (typeof COALESCE_PAIRS)[number]

/** What a card that adapts chooses itself, by the switch for that. */
const [RX, TX] = COALESCE_PAIRS
const ADAPTS = { 'adaptive-rx': RX, 'adaptive-tx': TX } as const

const isAdaptive = (parameter: Parameter): parameter is keyof typeof ADAPTS => parameter in ADAPTS

const explainDeaf = ([usecs, frames]: Pair, settings: Settings, where: string): string =>
  `${usecs} of ${settings.get(usecs) ?? 0} with ${frames} of ${settings.get(frames)} ${where} may mean no interrupt for a single packet (try ${usecs}=1, or ${frames}=1 with it)`

/** Gives what a card has, with what settings before make of it. */
const readCard = async (nic: string, before: readonly Change[]): Promise<Map<Parameter, string>> => {
  const card = new Map<Parameter, string>()
  for (const parameter of COALESCE_PARAMETERS) {
    const value = await readAfter({ kind: 'coalesce', nic, parameter }, before)
    if (value !== null) card.set(parameter, value)
  }
  return card
}

const isDeafPair = ([usecs, frames]: Pair, settings: Settings): boolean =>
  isDeaf(settings.get(usecs) ?? null, settings.get(frames) ?? null)

/** Throws an Unavailable when a single packet would not interrupt, by what is wanted or because the card no longer adapts. */
const checkCard = (nic: string, card: Settings, wanted: Settings): void => {
  const after = new Map([...card, ...[...wanted].filter(([parameter]) => card.has(parameter))])
  for (const adaptive of ['adaptive-rx', 'adaptive-tx'] as const) {
    const pair = ADAPTS[adaptive]
    const isChanged = pair.some(parameter => after.get(parameter) !== card.get(parameter))
    const isLaidBare = card.get(adaptive) === 'on' && after.get(adaptive) === 'off'
    // Some cards begin like that, and do interrupt.
    if (isDeafPair(pair, after) && (isChanged || isLaidBare))
      throw new Unavailable(explainDeaf(pair, after, `on ${nic}, which has some of that already,`))
  }
}

/**
 * In which order parameters are written. While it is adaptive a driver may refuse what it chooses itself, so that comes first, unless
 * it hides what must not be in force. A time comes before the packets, and no time after them: on the way there, and back in
 * reverse, the card always has a time to wait for or one packet.
 */
const rank = (parameter: Parameter, to: string, card: Settings): number => {
  if (isAdaptive(parameter)) return isDeafPair(ADAPTS[parameter], card) ? 4 : 0
  return parameter.endsWith('frames') ? 2 : to === '0' ? 3 : 1
}

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
    const assignments: Assignment[] = []
    for (const { name: nic } of nics) {
      const card = await readCard(nic, selection.before)
      checkCard(nic, card, settings)
      const parameters = [...settings].toSorted(([a, x], [b, y]) => rank(a, x, card) - rank(b, y, card))
      assignments.push(
        ...parameters.map(([parameter, to]) => ({
          place: { kind: 'coalesce', nic, parameter } as const,
          to,
        })),
      )
    }
    return keepPresent(assignments, 'the driver has no such interrupt coalescing')
  },
  recheck: async ({ place, from, to }) => {
    if (place.kind === 'coalesce' && (await leavesDeaf(place, to)) && !(await leavesDeaf(place, from)))
      throw new Error('the driver did not take what comes before it, and a single packet might not interrupt')
  },
  watch,
}
