import { readFile } from 'node:fs/promises'

/**
 * What the CPUs have done together with the packets that they received: `packets` that protocols took up, and how often one
 * has asked another to take in packets that were steered there (RPS, RFS).
 */
export type Softnet = { packets: number; steered: number }

/** Gives the kernel's own count of it, in net_rps_action and __netif_receive_skb_core of net/core/dev.c. */
export const readSoftnet = async (): Promise<Softnet> => {
  const lines = (await readFile('/proc/net/softnet_stat', 'utf8')).trim().split('\n')
  const sum = (column: number): number =>
    lines.reduce((all, line) => all + Number.parseInt(line.split(' ')[column] ?? '', 16), 0)
  return { packets: sum(0), steered: sum(9) }
}

/** Gives how many NET_RX softirqs there were. */
export const countReceiveSoftirqs = async (): Promise<number> => {
  const line = /^ *NET_RX:(.*)$/m.exec(await readFile('/proc/softirqs', 'utf8'))?.[1] ?? ''
  return line
    .trim()
    .split(/\s+/)
    .reduce((sum, count) => sum + Number(count), 0)
}
