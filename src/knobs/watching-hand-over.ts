import { readNatural } from '../system/files.js'
import { readSoftnet } from '../system/softnet.js'
import type { Effect } from './knob.js'
import { watchFor } from './watching.js'

/** Gives how often each CPU was asked to take packets from another one, of whatever device. */
const readHandedOver = (): Map<number, number> =>
  new Map(readSoftnet().map(({ cpu, handedOver }) => [cpu, handedOver]))

/**
 * Looks for CPUs that take packets over from others while some come by a network device, for a second. `isWanted` tells which CPUs
 * should.
 */
export const watchHandOver = (
  nic: string,
  isWanted: (cpu: number) => boolean,
  signal: AbortSignal,
): Promise<Effect> => {
  const countPackets = () => readNatural(`/sys/class/net/${nic}/statistics/rx_packets`) ?? 0
  const [before, packets] = [readHandedOver(), countPackets()]
  return watchFor(
    () => {
      // The counts are of all devices: what is handed over while none comes by this one is another's.
      if (countPackets() === packets) return null
      const busy = [...readHandedOver()].filter(
        ([cpu, count]) => isWanted(cpu) && count > (before.get(cpu) ?? 0),
      )
      if (busy.length === 0) return null
      return { state: 'verified', evidence: `CPU ${busy.map(([cpu]) => cpu).join(',')} takes packets over` }
    },
    () => ({
      state: 'written',
      evidence:
        countPackets() === packets
          ? `it reads back; no packet came by ${nic} meanwhile`
          : 'it reads back; no packet was handed over meanwhile: all arrived where they belong',
    }),
    signal,
  )
}
