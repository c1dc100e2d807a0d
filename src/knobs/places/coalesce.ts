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
