import type { Connection } from '../system/connections.js'

/** What tells the way of a service's requests. */
export type Ways = {
  /** The service's connections; none where they are not known. */
  connections: readonly Connection[]
  /** This machine's own addresses, and the device of each. */
  devices: ReadonlyMap<string, string>
  /** Packets that each device received meanwhile. */
  received: ReadonlyMap<string, number>
  /** The device by which a machine talks to itself. */
  loopback: string
}

/**
 * Gives the name of the device by which requests came: of those that the service's connections lead over, or of all where that
 * is not known, the one that most packets came by. Null when none came by any.
 */
export const findServingDevice = ({ connections, devices, received, loopback }: Ways): string | null => {
  const ways = new Set(
    connections.flatMap(({ local, peer }) => {
      // To an address of its own, the kernel sends by loopback, whichever device has it.
      if (devices.has(peer) || peer.startsWith('127.')) return loopback
      return devices.get(local) ?? []
    }),
  )
  const candidates = [...received].filter(
    ([name, packets]) => packets > 0 && (ways.size === 0 || ways.has(name)),
  )
  return candidates.toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? null
}
