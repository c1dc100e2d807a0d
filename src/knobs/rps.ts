import { formatCpuMask, parseCpuMask } from '../system/cpu-list.js'
import { CPU_VALUES, checkCpus, resolveCpus } from './cpu-values.js'
import type { Change, Knob, Look } from './knob.js'
import { findNicName, nicFile, requireNics } from './nic-places.js'
import { keepPresent } from './present.js'
import { readsBack } from './watching.js'
import { watchHandOver } from './watching-hand-over.js'

const watch = async ({ place, to }: Change): Promise<Look> => {
  const cpus = parseCpuMask(to)
  if (cpus.length === 0) return readsBack('packets stay where they arrive, unless net.rfs moves them')
  return signal => watchHandOver(findNicName(place), cpu => cpus.includes(cpu), signal)
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
  effect:
    'The CPUs take packets over while some come by the device (field 10 of /proc/net/softnet_stat, which is of all devices).',
  selector: 'nic',
  check: value => checkCpus(value, 'none'),
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
