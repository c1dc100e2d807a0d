import { formatCpuMask, parseCpuMask } from '../system/cpu-list.js'
import { readSoftnet } from '../system/softnet.js'
import { CPU_VALUES, resolveCpus } from './cpu-values.js'
import type { Change, Effect, Knob } from './knob.js'
import { nicFile, requireNics } from './nic-places.js'
import { keepPresent } from './present.js'
import { watchFor } from './watching.js'

/** Gives how often each CPU was asked to take packets from another one. */
const readHandedOver = (): Map<number, number> =>
  new Map(readSoftnet().map(({ cpu, handedOver }) => [cpu, handedOver]))

const watch = async ({ to }: Change): Promise<() => Promise<Effect>> => {
  const cpus = parseCpuMask(to)
  return async () => {
    if (cpus.length === 0) return { state: 'verified', evidence: 'packets stay where they arrive' }
    const before = readHandedOver()
    return watchFor(
      () => {
        const busy = [...readHandedOver()].filter(
          ([cpu, count]) => cpus.includes(cpu) && count > (before.get(cpu) ?? 0),
        )
        if (busy.length === 0) return null
        return { state: 'verified', evidence: `CPU ${busy.map(([cpu]) => cpu).join(',')} takes packets over` }
      },
      () => ({
        state: 'written',
        evidence: 'no packet was handed over meanwhile: none came, or they arrived there',
      }),
    )
  }
}

export const rps: Knob = {
  name: 'net.rps',
  about:
    'Receive packet steering: which CPUs do the protocol work for packets that one CPU took from the card.',
  where: '/sys/class/net/NIC/queues/rx-N/rps_cpus',
  default: 'none: the CPU that takes a packet does all the work',
  values: `${CPU_VALUES}; none turns it off`,
  helps: 'One CPU is full of NET_RX while others idle, `driver` is high, or `softnet_stat` shows squeezes.',
  harms:
    'An interrupt between CPUs for each batch: `steer` grows. Of no use where there is a queue for each CPU.',
  effect: 'The CPUs take packets over (field 10 of /proc/net/softnet_stat).',
  selector: 'nic',
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const to = value === 'none' ? '0' : formatCpuMask(resolveCpus(value, selection))
    const places = nics.flatMap(nic =>
      nic.rxQueues.map(queue => ({ place: nicFile(nic, `queues/rx-${queue}/rps_cpus`, 'mask'), to })),
    )
    return keepPresent(places, 'this kernel has no receive packet steering (CONFIG_RPS)')
  },
  watch,
}
