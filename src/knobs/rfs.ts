import { parseCpuMask } from '../system/cpu-list.js'
import { type Change, type Knob, type Look, Unavailable } from './knob.js'
import { findNicName, nicFile, requireNics } from './nic-places.js'
import { readWhole } from './number-values.js'
import { describePlace, readPlace } from './places/place.js'
import { keepPresent } from './present.js'
import { readsBack } from './watching.js'
import { watchHandOver } from './watching-hand-over.js'

const TABLE = {
  kind: 'file',
  path: '/proc/sys/net/core/rps_sock_flow_entries',
  form: 'text',
} as const

/** The kernel rounds both up. */
const roundUp = (entries: number): number => (entries === 0 ? 0 : 2 ** Math.ceil(Math.log2(entries)))

const readEntries = (value: string): number => roundUp(Number(readWhole(value, 0, 1 << 20, 'entries')))

/** Whether net.rps hands the queue's packets over as well: then it can't be told which of the two did. */
const isSteered = async (file: Change['place'], name: string): Promise<boolean> => {
  const queue = /\/rx-(\d+)\//.exec(describePlace(file))?.[1]
  const mask = await readPlace({
    kind: 'file',
    path: `/sys/class/net/${name}/queues/rx-${queue}/rps_cpus`,
    form: 'mask',
  })
  return mask !== null && parseCpuMask(mask).length > 0
}

const watch = async ({ place, to }: Change): Promise<Look> => {
  const name = findNicName(place)
  if (name === '' || to === '0')
    return readsBack('the share of requests on one CPU is for a measurement to show')
  return async signal =>
    (await isSteered(place, name))
      ? { state: 'written', evidence: 'it reads back; net.rps hands packets over as well' }
      : watchHandOver(name, () => true, signal)
}

export const rfs: Knob = {
  name: 'net.rfs',
  about:
    'Receive flow steering: the protocol work for a packet is done on the CPU where the service reads its socket.',
  where:
    '/proc/sys/net/core/rps_sock_flow_entries and /sys/class/net/NIC/queues/rx-N/rps_flow_cnt, which share it',
  default: '0, off',
  values: 'entries of the table, as 32768; 0 turns it off. It works together with net.rps.',
  helps: 'On more than half of the requests the softirq and the recv are on different CPUs (locality).',
  harms: 'Threads that migrate, or share sockets, draw packets after them.',
  effect:
    'Without net.rps, CPUs take packets over (field 10 of /proc/net/softnet_stat); the share of requests on one CPU is for a measurement to show.',
  selector: 'nic',
  check: readEntries,
  plan: async (value, selection) => {
    const nics = requireNics(selection)
    const entries = readEntries(value)
    if ((await readPlace(TABLE)) === null)
      throw new Unavailable(
        'the table of flows is out of reach: no CONFIG_RPS, or not the first network namespace',
      )
    const queues = nics.flatMap(nic => nic.rxQueues.map(queue => ({ nic, queue })))
    const each = String(roundUp(Math.floor(entries / Math.max(1, queues.length))))
    const counts = queues.map(({ nic, queue }) => ({
      place: nicFile(nic, `queues/rx-${queue}/rps_flow_cnt`),
      to: each,
    }))
    return [
      { place: TABLE, to: String(entries) },
      ...(await keepPresent(counts, 'the device has no receive queue')),
    ]
  },
  watch,
}
