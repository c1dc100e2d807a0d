import * as v from 'valibot'
import { nicName, readEthtool, writeEthtool } from './ethtool.js'

/** One of a network device's offloads, `on` or `off`. */
export const offloadPlace = v.strictObject({
  kind: v.literal('offload'),
  nic: nicName,
  /** By the name that ethtool takes. */
  parameter: v.picklist(['gro']),
})

type OffloadPlace = v.InferOutput<typeof offloadPlace>

/** What `ethtool -k` calls them. */
const FEATURES = { gro: 'generic-receive-offload' }

export const readOffload = async ({ nic, parameter }: OffloadPlace): Promise<string | null> => {
  const text = await readEthtool('-k', nic)
  const [, value, fixed] =
    new RegExp(`^${FEATURES[parameter]}: (on|off)( \\[fixed\\])?`, 'm').exec(text ?? '') ?? []
  return value === undefined || fixed !== undefined ? null : value
}

export const writeOffload = ({ nic, parameter }: OffloadPlace, value: string): Promise<void> =>
  writeEthtool('-K', nic, parameter, value)
