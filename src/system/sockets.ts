import { closeSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'

export type Protocol = 'tcp' | 'udp'

/** A listening socket as the kernel shows it: where it listens, and its inode. */
export type ListeningSocket = { address: string; port: number; inode: number }

/** What the state of a socket that listens looks like: LISTEN of TCP; of UDP unconnected, which is CLOSE. */
const LISTENING: Record<Protocol, string> = { tcp: '0A', udp: '07' }
const CHUNK_BYTES = 16_384

/**
 * Gives the listening sockets of one `/proc/<pid>/net/tcp`, `udp` or the same of IPv6; throws the file system's error.
 *
 * The kernel lists those of TCP before all other sockets, so reading stops there: on a machine with many connections
 * the rest of the file is long.
 */
export const readListeningSockets = (path: string, protocol: Protocol): ListeningSocket[] => {
  const sockets: ListeningSocket[] = []
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
  const fd = openSync(path, 'r')
  try {
    let text = ''
    let isHeader = true
    for (;;) {
      const length = readSync(fd, chunk)
      const lines = (text + chunk.toString('latin1', 0, length)).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        if (isHeader) {
          isHeader = false
          continue
        }
        const socket = parseListeningSocket(line, protocol)
        if (socket !== null) sockets.push(socket)
        else if (protocol === 'tcp') return sockets
      }
      if (length === 0) return sockets
    }
  } finally {
    closeSync(fd)
  }
}

/** Gives the socket of one line of `/proc/net/tcp` or `udp`, or null when that one does not listen. */
export const parseListeningSocket = (line: string, protocol: Protocol): ListeningSocket | null => {
  const fields = line.trim().split(/\s+/)
  const [, local, , state] = fields
  const [hexAddress, hexPort] = local?.split(':') ?? []
  const inode = Number(fields[9])
  if (state !== LISTENING[protocol] || !hexAddress || !hexPort || !Number.isSafeInteger(inode)) return null
  return { address: decodeAddress(hexAddress), port: Number.parseInt(hexPort, 16), inode }
}

/** Gives the text form of an address that the kernel printed as 32-bit words in the machine's byte order. */
export const decodeAddress = (hex: string): string => {
  const bytes = Buffer.from(hex, 'hex')
  if (endianness() === 'LE') bytes.swap32()
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  // The URL parser is the platform's way to the shortest form (RFC 5952).
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
