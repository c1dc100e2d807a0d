/** What a queue's interrupt is for: packets that came, that were sent, or both. */
export type Direction = 'rx' | 'tx' | 'both'

/** Which queue an interrupt serves, and in which direction; null where its name tells none. */
export type QueueName = { queue: number | null; direction: Direction | null }

const NO_QUEUE: QueueName = { queue: null, direction: null }

/** How drivers name the interrupts of their queues, the first that fits; `n` is the queue. */
const PATTERNS: readonly { pattern: RegExp; direction: Direction | null }[] = [
  // Of the flow director and the control queue, which no packet of the machine's own comes by.
  { pattern: /(?:fdir|ctrl)-TxRx-\d+$/i, direction: null },
  // igb, ixgbe, ice, i40e, iavf, bnxt, igc: eth0-TxRx-3; ena: eth0-Tx-Rx-3; vmxnet3, nfp, otx2: eth0-rxtx-3.
  { pattern: /[-:](?:tx-?rx|rx-?tx)-?(?<n>\d+)$/i, direction: 'both' },
  // e1000e, igb, tg3: eth0-rx-0; stmmac: eth0:rx-0; cxgb4: eth0-Rx0.
  { pattern: /[-:]rx-?(?<n>\d+)$/i, direction: 'rx' },
  { pattern: /[-:]tx-?(?<n>\d+)$/i, direction: 'tx' },
  // virtio_net: virtio0-input.0, virtio0-output.0.
  { pattern: /-input\.(?<n>\d+)$/, direction: 'rx' },
  { pattern: /-output\.(?<n>\d+)$/, direction: 'tx' },
  // xen-netfront: eth0-q0-rx, eth0-q0-tx, and with one queue eth0-rx.
  { pattern: /-q(?<n>\d+)-rx$/, direction: 'rx' },
  { pattern: /-q(?<n>\d+)-tx$/, direction: 'tx' },
  { pattern: /[-:]rx$/i, direction: 'rx' },
  { pattern: /[-:]tx$/i, direction: 'tx' },
  // mlx5_core: mlx5_comp3@pci:0000:81:00.0; a channel of it both receives and sends. mana: mana_q3@pci:0000:00:05.0.
  { pattern: /^mlx5_comp(?<n>\d+)(?:@|$)/, direction: 'both' },
  { pattern: /^mana_q(?<n>\d+)(?:@|$)/, direction: 'both' },
  // bnx2x, qede: eth0-fp-3, a fast path of both.
  { pattern: /-fp-(?<n>\d+)$/, direction: 'both' },
]

/** Gives the queue that one name of an interrupt tells; `nic` is the network device that it belongs to. */
export const parseQueueName = (name: string, nic: string): QueueName => {
  for (const { pattern, direction } of PATTERNS) {
    const match = pattern.exec(name)
    if (match !== null) return { queue: toQueue(match.groups?.n), direction }
  }
  // r8125, bnx2, mlx5 of old: eth0-3, which tells no direction.
  const rest = name.startsWith(`${nic}-`) ? name.slice(nic.length + 1) : ''
  return /^\d+$/.test(rest) ? { queue: toQueue(rest), direction: null } : NO_QUEUE
}

const toQueue = (digits: string | undefined): number | null => {
  const queue = Number(digits)
  return Number.isSafeInteger(queue) ? queue : null
}
