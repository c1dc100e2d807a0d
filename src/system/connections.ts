import { join } from 'node:path'
import { readText } from './files.js'
import { decodeAddress } from './sockets.js'

/** A TCP connection by its addresses: on this side and on the other. */
export type Connection = { local: string; peer: string }

/** Gives the connections of a local TCP port in this process's network namespace, those that end included. */
export const listConnections = (port: number, proc = '/proc'): Connection[] =>
  ['tcp', 'tcp6'].flatMap(file =>
    (readText(join(proc, 'self/net', file)) ?? '')
      .split('\n')
      .flatMap(line => parseConnection(line, port) ?? []),
  )

const LISTENS = '0A'

const parseConnection = (line: string, port: number): Connection | null => {
  const [, local, localPort, peer, state] =
    /^ *\d+: ([\dA-F]+):([\dA-F]{4}) ([\dA-F]+):[\dA-F]{4} ([\dA-F]{2}) /.exec(line) ?? []
  if (local === undefined || peer === undefined || localPort === undefined) return null
  return Number.parseInt(localPort, 16) === port && state !== LISTENS
    ? { local: decode(local), peer: decode(peer) }
    : null
}

/** An IPv4 address within IPv6 is the one that it stands for; as words of either byte order. */
const decode = (hex: string): string =>
  decodeAddress(/^0{16}(?:FFFF0000|0000FFFF)[\dA-F]{8}$/.test(hex) ? hex.slice(24) : hex)
