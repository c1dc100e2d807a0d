import { readText } from '../system/files.js'
import type { Change, Knob, Look } from './knob.js'
import { readWhole } from './number-values.js'
import { keepPresent } from './present.js'
import { readsBack, watchFor } from './watching.js'

const MAX_US = 10_000

const read = (value: string): string => readWhole(value, 0, MAX_US, 'microseconds')

/** How often packets were found by looking for them, in this network namespace (LINUX_MIB_BUSYPOLLRXPACKETS). */
const countFound = (): number => {
  const lines = (readText('/proc/net/netstat') ?? '').split('\n').filter(line => line.startsWith('TcpExt:'))
  const [names, counts] = lines.map(line => line.split(' '))
  return Number(counts?.[names?.indexOf('BusyPollRxPackets') ?? -1] ?? 0)
}

/** The count is of both knobs, and of sockets that ask for it themselves. */
const watch = async ({ to }: Change): Promise<Look> => {
  if (to === '0') return readsBack('nobody looks any more, but for sockets that ask for it themselves')
  const earlier = countFound()
  return signal => {
    const before = countFound()
    return watchFor(
      () =>
        earlier === 0 && countFound() > before
          ? { state: 'verified', evidence: 'packets are found by looking for them' }
          : null,
      () => ({
        state: 'written',
        evidence:
          countFound() > before
            ? 'it reads back; packets were found by looking for them before it, too'
            : 'it reads back; no packet was found by looking for it meanwhile',
      }),
      signal,
    )
  }
}

const createKnob = (name: 'net.busy_poll' | 'net.busy_read', file: string, calls: string): Knob => ({
  name,
  about: `How long ${calls} looks for packets at the card itself, before it sleeps.`,
  where: `/proc/sys/net/core/${file}`,
  default: '0, never',
  values: 'microseconds, as 50; 0 turns it off',
  helps: '`irq` and `idle_exit` dominate, the CPUs are mostly idle, and the driver supports it (NAPI ids).',
  harms: 'Burns CPU and power while it looks; harms when the threads are more than the CPUs.',
  effect:
    'BusyPollRxPackets of /proc/net/netstat grows; sockets have it from their next call on (busy_read: from when they are made).',
  isBeforeStages: true,
  selector: null,
  check: read,
  plan: value => {
    const place = { kind: 'file', path: `/proc/sys/net/core/${file}`, form: 'text' } as const
    const to = read(value)
    return keepPresent([{ place, to }], 'no CONFIG_NET_RX_BUSY_POLL, or not the first network namespace')
  },
  watch,
})

export const busyPoll = createKnob('net.busy_poll', 'busy_poll', 'poll, select or epoll_wait')
export const busyRead = createKnob('net.busy_read', 'busy_read', 'a blocking recv')
