import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readInterrupts } from './interrupts.js'
import { listDeviceIrqs } from './nic-irqs.js'

/** A network device of this namespace, with its queues and the interrupts by which it tells of packets. */
export type Nic = {
  name: string
  /** The name of its driver's module or that of its bus; null of one that is only software. */
  driver: string | null
  isUp: boolean
  rxQueues: number[]
  txQueues: number[]
  irqs: { irq: number; name: string }[]
  /** Packets that it received since it is there. */
  rxPackets: number
}

/** Gives this namespace's network devices but for loopback. What can't be read is left out. */
export const listNics = (sys = '/sys', proc = '/proc'): Nic[] => {
  const names = new Map(readInterrupts(proc).map(({ irq, name }) => [irq, name]))
  const folder = join(sys, 'class/net')
  return listEntries(folder)
    .filter(name => readText(join(folder, name, 'type')) !== LOOPBACK && hasQueues(join(folder, name)))
    .map(name => ({
      name,
      driver: readDriver(join(folder, name)),
      isUp: ['up', 'unknown'].includes(readText(join(folder, name, 'operstate'))),
      rxQueues: listQueues(join(folder, name), 'rx'),
      txQueues: listQueues(join(folder, name), 'tx'),
      irqs: listDeviceIrqs(name, sys, proc).map(irq => ({ irq, name: names.get(irq) ?? '' })),
      rxPackets: Number(readText(join(folder, name, 'statistics/rx_packets'))),
    }))
}

/** ARPHRD_LOOPBACK of include/uapi/linux/if_arp.h. */
const LOOPBACK = '772'

/** /sys/class/net also has files, as bonding_masters. */
const hasQueues = (nic: string): boolean => listEntries(join(nic, 'queues')).length > 0

/** Gives the device that most packets came by: one that is up, and of hardware where there is any; null without one. */
export const findBusiestNic = (nics: readonly Nic[]): Nic | null => {
  const up = nics.filter(({ isUp }) => isUp)
  const hard = up.filter(({ driver }) => driver !== null)
  const [busiest] = (hard.length > 0 ? hard : up).toSorted((a, b) => b.rxPackets - a.rxPackets)
  return busiest ?? null
}

const listQueues = (nic: string, direction: 'rx' | 'tx'): number[] =>
  listEntries(join(nic, 'queues'))
    .filter(name => name.startsWith(`${direction}-`))
    .map(name => Number(name.slice(direction.length + 1)))
    .sort((a, b) => a - b)

const readDriver = (nic: string): string | null => {
  try {
    return basename(readlinkSync(join(nic, 'device/driver')))
  } catch {
    return null
  }
}

const listEntries = (path: string): string[] => {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const readText = (path: string): string => {
  try {
    return readFileSync(path, 'latin1').trim()
  } catch {
    return ''
  }
}
