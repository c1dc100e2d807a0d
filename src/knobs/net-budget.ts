import type { Knob } from './knob.js'
import { readWhole } from './number-values.js'
import { keepPresent } from './present.js'

const file = (name: string) => ({ kind: 'file', path: `/proc/sys/net/core/${name}`, form: 'text' }) as const

/**
 * Less than one poll of a driver (64 packets, NAPI_POLL_WEIGHT) or a fraction of a millisecond and every packet waits for
 * ksoftirqd; far more than the defaults and threads wait for their CPU.
 */
const read = (value: string): { packets: string; us: string | null } => {
  const [packets = '', ...rest] = value.split('/')
  return {
    packets: readWhole(packets, 64, 10_000, 'packets'),
    us: rest.length === 0 ? null : readWhole(rest.join('/'), 500, 20_000, 'microseconds'),
  }
}

export const netBudget: Knob = {
  name: 'net.budget',
  about:
    'How many packets, and for how long, one round of the receive softirq takes before others get their turn.',
  where: '/proc/sys/net/core/netdev_budget and netdev_budget_usecs',
  default: '300 packets, 2000 to 8000 microseconds',
  values: 'packets, as 600, or packets/microseconds, as 600/8000',
  helps: '`time_squeeze` of /proc/net/softnet_stat grows, and ksoftirqd is in the path.',
  harms: 'The service waits for its CPU while packets are taken in.',
  effect: 'None that can be seen at once: it reads back; fewer squeezes are for a measurement to show.',
  selector: null,
  check: read,
  plan: value => {
    const { packets, us } = read(value)
    return keepPresent(
      [
        { place: file('netdev_budget'), to: packets },
        ...(us === null ? [] : [{ place: file('netdev_budget_usecs'), to: us }]),
      ],
      'it can be set in the first network namespace only',
    )
  },
}
