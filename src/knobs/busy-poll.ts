import type { Knob } from './knob.js'
import { readWhole } from './number-values.js'
import { keepPresent } from './present.js'

const MAX_US = 10_000

const createKnob = (name: 'net.busy_poll' | 'net.busy_read', file: string, calls: string): Knob => ({
  name,
  about: `How long ${calls} looks for packets at the card itself, before it sleeps.`,
  where: `/proc/sys/net/core/${file}`,
  default: '0, never',
  values: 'microseconds, as 50; 0 turns it off',
  helps: '`irq` and `idle_exit` dominate, the CPUs are mostly idle, and the driver supports it (NAPI ids).',
  harms: 'Burns CPU and power while it looks; harms when the threads are more than the CPUs.',
  effect: 'It reads back; sockets have it from their next call on (busy_read: from when they are made).',
  selector: null,
  plan: value => {
    const place = { kind: 'file', path: `/proc/sys/net/core/${file}`, form: 'text' } as const
    const to = readWhole(value, 0, MAX_US, 'microseconds')
    return keepPresent([{ place, to }], 'no CONFIG_NET_RX_BUSY_POLL, or not the first network namespace')
  },
})

export const busyPoll = createKnob('net.busy_poll', 'busy_poll', 'poll, select or epoll_wait')
export const busyRead = createKnob('net.busy_read', 'busy_read', 'a blocking recv')
