import { execFile } from 'node:child_process'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readNetns, type Service } from './services.js'

const run = promisify(execFile)
/** What ss prints of very many connections. */
const MAX_BYTES = 64 << 20

/** The packets with payload that a connection has taken in, and its port here. */
type Received = { port: number; packets: number }

/**
 * Gives how many packets with payload the TCP connections of each service take in within some milliseconds, as the kernel counts
 * for each connection: 0 as well where there is no `ss`, and for a service of nobody's in another network namespace. Null for services
 * of UDP, which has no connections to count for.
 */
export const countReceived = async (
  services: readonly Service[],
  milliseconds: number,
): Promise<(number | null)[]> => {
  const pids = new Map(services.flatMap(({ netns, pid }) => (pid === null ? [] : [[netns, pid] as const])))
  const own = readNetns('self')
  const commands = [...new Set(services.map(({ netns }) => netns))].flatMap(netns => {
    const pid = pids.get(netns)
    const inside = ['ss', '-tinHO', 'state', 'established']
    if (netns === own) return [{ netns, command: inside }]
    return pid === undefined ? [] : [{ netns, command: ['nsenter', `--net=/proc/${pid}/ns/net`, ...inside] }]
  })
  const before = await Promise.all(commands.map(({ command }) => readReceived(command)))
  await setTimeout(milliseconds)
  const after = await Promise.all(commands.map(({ command }) => readReceived(command)))
  return services.map(({ netns, port, protocol }) => {
    if (protocol === 'udp') return null
    const index = commands.findIndex(command => command.netns === netns)
    return [...(after[index] ?? [])]
      .filter(([, connection]) => connection.port === port)
      .reduce((sum, [key, { packets }]) => sum + packets - (before[index]?.get(key)?.packets ?? 0), 0)
  })
}

const readReceived = async ([program = '', ...args]: readonly string[]): Promise<Map<string, Received>> => {
  try {
    return parseReceived((await run(program, args, { maxBuffer: MAX_BYTES })).stdout)
  } catch {
    return new Map()
  }
}

/** Reads what `ss -tinHO state established` prints, by the addresses of both ends. */
export const parseReceived = (text: string): Map<string, Received> =>
  new Map(
    text.split('\n').flatMap((line): [string, Received][] => {
      const [, , local = '', peer = ''] = line.trim().split(/\s+/)
      const port = /:(\d{1,5})$/.exec(local)?.[1]
      // Of a connection that has taken in nothing it prints none.
      const packets = Number(/ data_segs_in:(\d+)/.exec(line)?.[1] ?? 0)
      return port === undefined ? [] : [[`${local} ${peer}`, { port: Number(port), packets }]]
    }),
  )
