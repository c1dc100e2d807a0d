import type { Knob } from './knob.js'
import { readWhole } from './number-values.js'
import { keepPresent } from './present.js'

const file = (name: string) => ({ kind: 'file', path: `/proc/sys/net/core/${name}`, form: 'text' }) as const

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
  plan: value => {
    const [packets = '', ...rest] = value.split('/')
    const us = rest.length === 0 ? null : rest.join('/')
    return keepPresent(
      [
        { place: file('netdev_budget'), to: readWhole(packets, 1, 100_000, 'packets') },
        ...(us === null
          ? []
          : [{ place: file('netdev_budget_usecs'), to: readWhole(us, 1, 100_000, 'microseconds') }]),
      ],
      'it can be set in the first network namespace only',
    )
  },
}
