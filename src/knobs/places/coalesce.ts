import * as v from 'valibot'
import { nicName, readEthtool, writeEthtool } from './ethtool.js'

/** The parameters of interrupt coalescing that taut sets, by ethtool's names. */
export const COALESCE_PARAMETERS = [
  'rx-usecs',
  'tx-usecs',
  'rx-frames',
  'tx-frames',
  'adaptive-rx',
  'adaptive-tx',
] as const

/** One parameter of a network device's interrupt coalescing. */
export const coalescePlace = v.strictObject({
  kind: v.literal('coalesce'),
  nic: nicName,
  parameter: v.picklist(COALESCE_PARAMETERS),
})

/**
 * Of each direction: how long a card waits before it interrupts, and for how many packets, whichever is over first (struct
 * ethtool_coalesce of the kernel).
 */
export const COALESCE_PAIRS = [
  ['rx-usecs', 'rx-frames'],
  ['tx-usecs', 'tx-frames'],
] as const

/**
 * May a single packet be without interrupt, with that time and that number of packets to wait for? null is what the driver does not
 * have: with no time, it is so for more than one packet, and for none at all.
 */
export const isDeaf = (usecs: string | null, frames: string | null): boolean =>
  (usecs ?? '0') === '0' && frames !== null && frames !== '1'

/** Would a card be so once a parameter of it has a value, by what the other of the pair is now? */
export const leavesDeaf = async (place: CoalescePlace, to: string): Promise<boolean> => {
  const pair = COALESCE_PAIRS.find(parameters => parameters.some(parameter => parameter === place.parameter))
  if (pair === undefined) return false
  const [usecs = null, frames = null] = await Promise.all(
    pair.map(parameter => (parameter === place.parameter ? to : readCoalesce({ ...place, parameter }))),
  )
  // Some drivers show none while there is a time to wait, and one once there is not.
  return frames !== '0' && isDeaf(usecs, frames)
}

type CoalescePlace = v.InferOutput<typeof coalescePlace>

export const readCoalesce = async ({ nic, parameter }: CoalescePlace): Promise<string | null> => {
  const text = await readEthtool('-c', nic)
  return text === null ? null : parseCoalesce(text, parameter)
}

/** Gives a parameter of what `ethtool -c` prints; null where the driver has none ("n/a"). */
export const parseCoalesce = (text: string, parameter: CoalescePlace['parameter']): string | null => {
  const adaptive = /^Adaptive RX:\s*(\S+)\s+TX:\s*(\S+)/m.exec(text)
  const value =
    parameter === 'adaptive-rx'
      ? adaptive?.[1]
      : parameter === 'adaptive-tx'
        ? adaptive?.[2]
        : new RegExp(`^${parameter}:\\s*(\\S+)`, 'm').exec(text)?.[1]
  return value === undefined || value === 'n/a' ? null : value
}

export const writeCoalesce = ({ nic, parameter }: CoalescePlace, value: string): Promise<void> =>
  writeEthtool('-C', nic, parameter, value)
