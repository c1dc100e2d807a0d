import { formatCpuMask } from '../system/cpu-list.js'
import { CPU_VALUES, checkCpus, resolveCpus } from './cpu-values.js'
import type { Knob } from './knob.js'
import { nicFile, requireNics } from './nic-places.js'
import { keepPresent } from './present.js'

export const xps: Knob = {
  name: 'net.xps',
  about: 'Transmit packet steering: which CPUs send by which queue of the card.',
  where: '/sys/class/net/NIC/queues/tx-N/xps_cpus',
  default: 'the driver chooses, or none',
  values: `queue (the CPUs in turn, one to each queue), none, or ${CPU_VALUES}`,
  helps: 'Replies are completed on another CPU than the one that sent them.',
  harms: 'No effect with one queue; with several, CPUs that share a queue wait for each other.',
  effect: 'None that can be seen: it reads back.',
  selector: 'nic',
  check: value => checkCpus(value, 'queue', 'none'),
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const { online } = selection
    const assignments = nics.flatMap(nic => {
      // In turn: of four CPUs and two queues the first has 0 and 2.
      const chooseCpus = (index: number): number[] =>
        value === 'queue'
          ? online.filter((cpu, turn) => turn % nic.txQueues.length === index || cpu === online[index])
          : value === 'none'
            ? []
            : resolveCpus(value, selection)
      return nic.txQueues.map((queue, index) => ({
        place: nicFile(nic, `queues/tx-${queue}/xps_cpus`, 'mask'),
        to: formatCpuMask(chooseCpus(index)),
      }))
    })
    return keepPresent(assignments, 'the device has one transmit queue, or the kernel no CONFIG_XPS')
  },
}
